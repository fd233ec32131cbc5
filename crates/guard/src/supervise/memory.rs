//! The memory of a thread that stands still.
//!
//! It may belong to a process that keeps its memory from others (a key agent, a program that may be executed but
//! not read). Where the kernel does not let us in, the call is refused: nobody is asked to take its word.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use super::{Early, Outcome, Stepped, Supervisor};
use crate::notify::Call;
use crate::sys::check;

/// No page is smaller.
const PAGE: usize = 4096;

impl Supervisor {
    /// A copy of `length` bytes of the caller's memory.
    pub(super) fn read(&self, call: &Call, address: u64, length: usize) -> Stepped<Vec<u8>> {
        let read = read(call.thread, address, length);
        if !self.notify.stands(call) {
            return Err(Early::Decided(Outcome::Settled));
        }
        read.map_err(|error| match error.raw_os_error() {
            Some(libc::EFAULT) => Early::fails(libc::EFAULT),
            _ => self.refuse_unreadable(),
        })
    }
}

impl Supervisor {
    /// A copy of the text of the caller's that begins there, without the zero that ends it.
    ///
    /// # Errors
    /// `too_long` when it does not end within `most` bytes.
    pub(super) fn read_text(&self, call: &Call, address: u64, most: usize, too_long: libc::c_int) -> Stepped<Vec<u8>> {
        let read = read_text(call.thread, address, most);
        if !self.notify.stands(call) {
            return Err(Early::Decided(Outcome::Settled));
        }
        match read {
            Ok(Some(text)) => Ok(text),
            Ok(None) => Err(Early::fails(too_long)),
            Err(error) if error.raw_os_error() == Some(libc::EFAULT) => Err(Early::fails(libc::EFAULT)),
            Err(_) => Err(self.refuse_unreadable()),
        }
    }
}

/// A text that ends in zero, if it does within `most` bytes. No page is touched that it does not reach.
fn read_text(thread: u32, address: u64, most: usize) -> io::Result<Option<Vec<u8>>> {
    let mut text = Vec::new();
    while text.len() < most {
        let at = address.wrapping_add(text.len() as u64);
        let to_page_end = PAGE - (at % PAGE as u64) as usize;
        let part = read(thread, at, to_page_end.min(most - text.len()))?;
        if let Some(end) = part.iter().position(|byte| *byte == 0) {
            text.extend(part.into_iter().take(end));
            return Ok(Some(text));
        }
        text.extend(part);
    }
    Ok(None)
}

fn read(thread: u32, address: u64, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    match copy(thread, address, &mut bytes) {
        Err(error) if !matches!(error.raw_os_error(), Some(libc::EFAULT | libc::ESRCH)) => {
            by_file(thread, address, &mut bytes)?;
        }
        other => other?,
    }
    Ok(bytes)
}

fn copy(thread: u32, address: u64, into: &mut [u8]) -> io::Result<()> {
    if into.is_empty() {
        return Ok(());
    }
    let local = libc::iovec { iov_base: into.as_mut_ptr().cast(), iov_len: into.len() };
    let remote = libc::iovec { iov_base: address as *mut libc::c_void, iov_len: into.len() };
    // SAFETY: the kernel writes no more than `into` has room for; the other address is never touched here.
    let copied =
        check(unsafe { libc::process_vm_readv(thread as libc::pid_t, &raw const local, 1, &raw const remote, 1, 0) }
            as i64)?;
    if usize::try_from(copied) == Ok(into.len()) { Ok(()) } else { Err(io::Error::from_raw_os_error(libc::EFAULT)) }
}

/// The same where the call is not to be had, as in some containers.
fn by_file(thread: u32, address: u64, into: &mut [u8]) -> io::Result<()> {
    let memory = File::open(format!("/proc/{thread}/mem"))?;
    memory.read_exact_at(into, address).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => io::Error::from_raw_os_error(libc::EFAULT),
        _ if error.raw_os_error() == Some(libc::EIO) => io::Error::from_raw_os_error(libc::EFAULT),
        _ => error,
    })
}

/// Writes to the caller's memory, where the caller itself could.
pub(super) fn write(thread: u32, address: u64, bytes: &[u8]) -> io::Result<()> {
    let local = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    let remote = libc::iovec { iov_base: address as *mut libc::c_void, iov_len: bytes.len() };
    // SAFETY: the kernel only reads `bytes`; the other address is never touched here.
    let copied =
        check(unsafe { libc::process_vm_writev(thread as libc::pid_t, &raw const local, 1, &raw const remote, 1, 0) }
            as i64)?;
    if usize::try_from(copied) == Ok(bytes.len()) { Ok(()) } else { Err(io::Error::from_raw_os_error(libc::EFAULT)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn me() -> u32 {
        std::process::id()
    }

    #[test]
    fn reads_what_is_there_either_way() -> io::Result<()> {
        let there = *b"what is there";
        let address = there.as_ptr() as u64;
        assert_eq!(read(me(), address, there.len())?, there);
        let mut bytes = [0; 13];
        by_file(me(), address, &mut bytes)?;
        assert_eq!(bytes, there);
        assert_eq!(read(me(), 0, 0)?, b"");
        Ok(())
    }

    #[test]
    fn a_text_is_read_to_its_end_and_no_further() -> io::Result<()> {
        let mut pages = vec![b'x'; 3 * PAGE];
        let first = PAGE - pages.as_ptr() as usize % PAGE;
        for (from, end) in [(first - 1, first), (first - 3, first + 2), (first, first + PAGE), (first, first)] {
            pages.fill(b'x');
            if let Some(last) = pages.get_mut(end) {
                *last = 0;
            }
            let address = pages.as_ptr() as u64 + from as u64;
            assert_eq!(read_text(me(), address, 2 * PAGE)?, Some(vec![b'x'; end - from]), "{from} to {end}");
            assert_eq!(read_text(me(), address, end - from)?, None, "{from} to {end}, one too short");
        }
        assert_eq!(read_text(me(), 8, 100).map_err(|error| error.raw_os_error()), Err(Some(libc::EFAULT)));
        Ok(())
    }

    #[test]
    fn what_is_not_there_is_a_fault_and_not_a_refusal() {
        let mut bytes = [0; 8];
        for result in [copy(me(), 8, &mut bytes), by_file(me(), 8, &mut bytes)] {
            assert_eq!(result.map_err(|error| error.raw_os_error()), Err(Some(libc::EFAULT)));
        }
    }

    #[test]
    fn nobody_is_a_refusal_and_not_a_fault() {
        assert_eq!(read(u32::MAX >> 1, 8, 8).map_err(|error| error.raw_os_error()), Err(Some(libc::ESRCH)));
    }

    #[test]
    fn writes_where_the_caller_could() -> io::Result<()> {
        let mut there = [0_u8; 4];
        write(me(), there.as_mut_ptr() as u64, b"here")?;
        // The compiler cannot know who wrote.
        assert_eq!(std::hint::black_box(&there), b"here");
        Ok(())
    }
}
