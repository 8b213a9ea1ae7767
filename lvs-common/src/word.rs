//! A u64 that several CPUs and user space share.
//!
//! On the host it is an [`AtomicU64`](core::sync::atomic::AtomicU64). LLVM's BPF back end has no atomic load or store
//! before cpu v4, so there a load or store is a volatile access of one aligned u64, which the BPF instruction set performs
//! whole, and a read-modify-write is the BPF atomic instruction with full ordering (Documentation/bpf/standardization).

pub use self::imp::Word;

#[cfg(target_arch = "bpf")]
mod imp {
    use core::cell::UnsafeCell;
    use core::intrinsics::{AtomicOrdering, atomic_cxchg, atomic_xadd};

    // Relaxed would be enough for counters, but LLVM then emits an add that does not fetch.
    const ORDER: AtomicOrdering = AtomicOrdering::AcqRel;

    /// A u64 that several CPUs and user space share.
    #[repr(transparent)]
    pub struct Word(UnsafeCell<u64>);

    // SAFETY: every access below is one aligned 64-bit BPF instruction, which no other access can split.
    unsafe impl Sync for Word {}

    impl Word {
        /// The value now.
        #[inline(always)]
        pub fn load(&self) -> u64 {
            // SAFETY: the pointer comes from a live reference; volatile, as others write the same word.
            unsafe { self.0.get().read_volatile() }
        }

        /// Replaces the value.
        #[inline(always)]
        pub fn store(&self, value: u64) {
            // SAFETY: as in `load`.
            unsafe { self.0.get().write_volatile(value) }
        }

        /// Adds with wrap-around and gives the value before.
        #[inline(always)]
        pub fn fetch_add(&self, value: u64) -> u64 {
            // SAFETY: the pointer is valid and aligned, since it comes from a live reference.
            unsafe { atomic_xadd::<u64, u64, ORDER>(self.0.get(), value) }
        }

        /// Stores `new` if the value is `current`; says whether it was.
        #[inline(always)]
        pub fn replace(&self, current: u64, new: u64) -> bool {
            // SAFETY: as in `fetch_add`.
            let (found, _) = unsafe {
                atomic_cxchg::<u64, ORDER, { AtomicOrdering::Acquire }>(self.0.get(), current, new)
            };
            found == current
        }
    }
}

#[cfg(not(target_arch = "bpf"))]
mod imp {
    use core::sync::atomic::{AtomicU64, Ordering};

    /// A u64 that several CPUs and user space share.
    #[derive(Debug, Default)]
    #[repr(transparent)]
    pub struct Word(AtomicU64);

    impl Word {
        /// A word with a first value.
        #[must_use]
        pub const fn new(value: u64) -> Self {
            Self(AtomicU64::new(value))
        }

        /// The value now.
        pub fn load(&self) -> u64 {
            self.0.load(Ordering::Acquire)
        }

        /// Replaces the value.
        pub fn store(&self, value: u64) {
            self.0.store(value, Ordering::Release);
        }

        /// Adds with wrap-around and gives the value before.
        pub fn fetch_add(&self, value: u64) -> u64 {
            self.0.fetch_add(value, Ordering::AcqRel)
        }

        /// Stores `new` if the value is `current`; says whether it was.
        pub fn replace(&self, current: u64, new: u64) -> bool {
            self.0.compare_exchange(current, new, Ordering::AcqRel, Ordering::Acquire).is_ok()
        }
    }
}

const _: () = assert!(size_of::<Word>() == 8 && align_of::<Word>() == 8);
