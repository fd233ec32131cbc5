//! The install secret: keys every digest of what callers supply, so that a stored digest cannot be
//! guessed back by whoever reads the store.

use std::fmt;
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use hmac::{Hmac, KeyInit as _, Mac as _};
use rand::TryRng as _;
use sha2::Sha256;
use zeroize::{Zeroize as _, Zeroizing};

/// 32 random bytes, the same on all replicas of an install.
pub struct InstallSecret {
    /// The keyed state, so that a digest does not hash the key again.
    mac: Hmac<Sha256>,
}

/// Why the secret cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be read or made.
    #[error("the install secret `{}` cannot be read or made: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The file does not hold 64 hex digits.
    #[error("the install secret `{}` is not 64 hex digits", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
    },
    /// Others may read the file.
    #[error("the install secret `{}` can be read by others: `chmod 600` it", path.display())]
    TooOpen {
        /// The file.
        path: PathBuf,
    },
    /// The system gives no randomness.
    #[error("the system gives no randomness")]
    Randomness,
}

impl InstallSecret {
    /// Reads the secret from `path`, making the file (mode 0600), and its folder
    /// (mode 0700), when they are not there.
    ///
    /// Two processes that start at once agree: the file appears whole and only once.
    ///
    /// # Errors
    /// See [`SecretError`].
    pub fn load_or_create(path: &Path) -> Result<Self, SecretError> {
        if let Some(secret) = Self::load(path)? {
            return Ok(secret);
        }
        let fault = |source| SecretError::File { path: path.to_owned(), source };
        if let Some(folder) = path.parent() {
            create_private_folder(folder).map_err(fault)?;
        }
        let mut bytes = random()?;
        let text = Zeroizing::new(format!("{}\n", HEXLOWER.encode(&bytes)));
        bytes.zeroize();
        // Written aside and linked into place, so that nobody ever reads half a secret.
        let mut aside = path.as_os_str().to_owned();
        aside.push(format!(".{}", HEXLOWER.encode(random()?.get(..8).unwrap_or_default())));
        let aside = PathBuf::from(aside);
        let written = create_private(&aside)
            .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
            .and_then(|()| match std::fs::hard_link(&aside, path) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
                other => other,
            });
        let _ = std::fs::remove_file(&aside);
        written.map_err(fault)?;
        Self::load(path)?.ok_or_else(|| fault(ErrorKind::NotFound.into()))
    }

    /// A secret that ends with this process.
    ///
    /// # Errors
    /// [`SecretError::Randomness`].
    pub fn ephemeral() -> Result<Self, SecretError> {
        let mut bytes = random()?;
        let secret = Self::of(&bytes);
        bytes.zeroize();
        Ok(secret)
    }

    fn of(bytes: &[u8; 32]) -> Self {
        // HMAC pads a short key with zeros to its block of 64 bytes; done here, it cannot fail.
        let mut block = Zeroizing::new([0_u8; 64]);
        for (place, byte) in block.iter_mut().zip(bytes) {
            *place = *byte;
        }
        let block: &[u8; 64] = &block;
        Self { mac: Hmac::new(block.into()) }
    }

    fn load(path: &Path) -> Result<Option<Self>, SecretError> {
        let fault = |source| SecretError::File { path: path.to_owned(), source };
        let file = match std::fs::File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(fault(error)),
        };
        if open_to_others(&file.metadata().map_err(fault)?) {
            return Err(SecretError::TooOpen { path: path.to_owned() });
        }
        let mut text = Zeroizing::new(String::new());
        file.take(4_096).read_to_string(&mut text).map_err(fault)?;
        let malformed = || SecretError::Malformed { path: path.to_owned() };
        let bytes = Zeroizing::new(HEXLOWER_PERMISSIVE.decode(text.trim().as_bytes()).map_err(|_| malformed())?);
        let bytes: &[u8; 32] = bytes.as_slice().try_into().map_err(|_| malformed())?;
        Ok(Some(Self::of(bytes)))
    }

    /// The hex of HMAC-SHA-256 over `bytes`. `domain` keeps digests of different kinds apart and
    /// is a constant of the code without NUL.
    #[must_use]
    pub fn digest(&self, domain: &str, bytes: &[u8]) -> String {
        HEXLOWER.encode(&self.keyed(domain, &[bytes]))
    }

    /// The secret of a capability token. It is kept nowhere: whoever has the database has no token.
    #[must_use]
    pub fn of_token(&self, workspace: &str, token_id: &str) -> Zeroizing<[u8; 32]> {
        // Neither has a NUL, so that no two tokens are the same text.
        Zeroizing::new(self.keyed("capability-token", &[workspace.as_bytes(), &[0], token_id.as_bytes()]))
    }

    /// What only this install can put under `bytes`. Compare it in constant time.
    pub(crate) fn seal(&self, domain: &str, bytes: &[u8]) -> [u8; 32] {
        self.keyed(domain, &[bytes])
    }

    fn keyed(&self, domain: &str, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = self.mac.clone();
        mac.update(domain.as_bytes());
        mac.update(&[0]);
        for part in parts {
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

impl fmt::Debug for InstallSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InstallSecret(..)")
    }
}

pub(crate) fn random() -> Result<[u8; 32], SecretError> {
    let mut bytes = [0_u8; 32];
    rand::rngs::SysRng.try_fill_bytes(&mut bytes).map_err(|_| SecretError::Randomness)?;
    Ok(bytes)
}

#[cfg(unix)]
fn create_private_folder(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

#[cfg(not(unix))]
fn create_private_folder(path: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(path)
}

#[cfg(unix)]
fn create_private(path: &Path) -> std::io::Result<std::fs::File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

#[cfg(not(unix))]
fn create_private(path: &Path) -> std::io::Result<std::fs::File> {
    std::fs::OpenOptions::new().write(true).create_new(true).open(path)
}

#[cfg(unix)]
fn open_to_others(metadata: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode() & 0o077 != 0
}

#[cfg(not(unix))]
fn open_to_others(_: &std::fs::Metadata) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_made_once_and_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("hmac.key");
        let digests: Vec<String> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| InstallSecret::load_or_create(&path).unwrap().digest("d", b"x")))
                .collect();
            threads.into_iter().map(|t| t.join().unwrap()).collect()
        });
        assert!(digests.iter().all(|d| d == &digests[0]), "{digests:?}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "nothing stays aside");
        assert_ne!(InstallSecret::ephemeral().unwrap().digest("d", b"x"), digests[0]);
    }

    #[cfg(unix)]
    #[test]
    fn makes_the_folder_too_for_nobody_else() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new/data/hmac.key");
        let made = InstallSecret::load_or_create(&path).unwrap().digest("d", b"x");
        assert_eq!(InstallSecret::load_or_create(&path).unwrap().digest("d", b"x"), made);
        let mode = std::fs::metadata(dir.path().join("new/data")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        // What stands in the way is told.
        let error = InstallSecret::load_or_create(&path.join("below")).unwrap_err().to_string();
        assert!(error.contains("directory"), "{error}");
    }

    #[test]
    fn domains_are_kept_apart() {
        let secret = InstallSecret::of(&[7; 32]);
        assert_ne!(secret.digest("a", b"bc"), secret.digest("ab", b"c"));
        assert_eq!(secret.digest("a", b"bc").len(), 64);
        assert_eq!(format!("{secret:?}"), "InstallSecret(..)");
    }

    #[cfg(unix)]
    #[test]
    fn refuses_a_file_that_others_read_or_that_is_no_secret() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("hmac.key");
        InstallSecret::load_or_create(&path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(InstallSecret::load_or_create(&path), Err(SecretError::TooOpen { .. })));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::write(&path, "short").unwrap();
        assert!(matches!(InstallSecret::load_or_create(&path), Err(SecretError::Malformed { .. })));
    }
}
