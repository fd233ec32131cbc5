//! Raw calls, each wrapped once: the rest of the crate has results and owned descriptors.

pub(crate) mod fd;
pub(crate) mod mount;
pub(crate) mod process;
pub(crate) mod socket;

use std::ffi::CString;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// The result of a call that returns a negative number when it fails.
pub(crate) fn check(returned: i64) -> io::Result<i64> {
    if returned < 0 { Err(io::Error::last_os_error()) } else { Ok(returned) }
}

/// The same of a call that returns an `int`.
pub(crate) fn check_int(returned: libc::c_int) -> io::Result<libc::c_int> {
    if returned < 0 { Err(io::Error::last_os_error()) } else { Ok(returned) }
}

/// A path as the kernel takes it.
///
/// # Errors
/// It has a zero in it.
pub(crate) fn c_path(path: &Path) -> io::Result<CString> {
    CString::new(path.as_os_str().as_bytes()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))
}
