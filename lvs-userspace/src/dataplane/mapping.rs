//! Memory-mapped BPF arrays: read and written without a system call.

use std::ffi::c_void;
use std::num::NonZeroUsize;
use std::ops::Deref;
use std::os::fd::AsFd as _;
use std::ptr::NonNull;
use std::slice;

use aya::maps::MapData;
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};

use super::DataplaneError;

/// A type that may lie in memory which the data path and other threads write meanwhile.
///
/// # Safety
/// Every bit pattern is a valid value, and every access to what can change goes through atomics.
pub(super) unsafe trait Shared {}

// SAFETY: a word is an atomic u64.
unsafe impl Shared for lvs_common::word::Word {}
// SAFETY: made of words.
unsafe impl Shared for lvs_common::connection::Line {}
// SAFETY: made of words.
unsafe impl Shared for lvs_common::abi::ServerConnections {}
// SAFETY: an atomic u32.
unsafe impl Shared for std::sync::atomic::AtomicU32 {}

/// The values of a BPF array that was created with `BPF_F_MMAPABLE`.
pub(super) struct Mapped<T: Shared + 'static> {
    values: &'static [T],
    bytes: NonZeroUsize,
}

impl<T: Shared> Mapped<T> {
    /// Maps the whole array, whose values may be groups of `T`.
    pub(super) fn new(name: &'static str, map: &MapData) -> Result<Self, DataplaneError> {
        let failed = |reason: String| DataplaneError::Map { name, reason };
        let info = map.info().map_err(|error| failed(error.to_string()))?;
        let length = info.value_size() as usize * info.max_entries() as usize;
        let bytes = NonZeroUsize::new(length).ok_or_else(|| failed("it is empty".to_owned()))?;
        // The kernel pads elements to 8 bytes; without padding they follow each other as the elements of a slice do.
        let stride = info.value_size() as usize;
        if !stride.is_multiple_of(8) || !stride.is_multiple_of(size_of::<T>()) {
            return Err(failed(format!(
                "elements of {stride} bytes do not hold values of {}",
                size_of::<T>()
            )));
        }
        let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new shared mapping of a file descriptor; no address is asked for, so nothing existing is replaced.
        let start = unsafe { mmap(None, bytes, protection, MapFlags::MAP_SHARED, map.fd().as_fd(), 0) }
            .map_err(|error| failed(format!("mmap of {length} bytes: {error}")))?;
        // SAFETY: the mapping has `length` bytes, is page-aligned, holds valid values of T whatever its bytes are (`Shared`), and
        // stays until `drop`.
        let values = unsafe { slice::from_raw_parts(start.cast::<T>().as_ptr(), length / size_of::<T>()) };
        Ok(Self { values, bytes })
    }
}

impl<T: Shared> Deref for Mapped<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        self.values
    }
}

impl<T: Shared> Drop for Mapped<T> {
    fn drop(&mut self) {
        let start = NonNull::from(self.values).cast::<c_void>();
        // SAFETY: exactly the mapping that `new` made; `deref` lends it for no longer than self lives.
        if let Err(error) = unsafe { munmap(start, self.bytes.get()) } {
            tracing::warn!("munmap of {} bytes: {error}", self.bytes);
        }
    }
}
