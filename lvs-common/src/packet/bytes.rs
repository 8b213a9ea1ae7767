//! Bounds-checked access to a frame.

/// A frame: a slice on the host, packet memory in the kernel.
pub trait Bytes {
    /// The `N` bytes at `offset`, or nothing when the frame ends before them.
    fn view<const N: usize>(&self, offset: usize) -> Option<&[u8; N]>;

    /// Whether the whole frame has at least `length` bytes, also counting those that [`view`](Self::view) can't reach.
    fn holds(&self, length: usize) -> bool;
}

/// `W` bytes of a header at a constant place, checked when compiled.
///
/// Reading from a reference to the header, and not from a copy of it, keeps the kernel side free of stack copies.
#[inline(always)]
#[must_use]
pub fn field<const AT: usize, const W: usize, const N: usize>(header: &[u8; N]) -> [u8; W] {
    const { assert!(AT + W <= N) };
    // SAFETY: the assertion above keeps the W bytes inside the header, and [u8; W] has alignment 1.
    unsafe { header.as_ptr().add(AT).cast::<[u8; W]>().read() }
}

impl Bytes for [u8] {
    fn view<const N: usize>(&self, offset: usize) -> Option<&[u8; N]> {
        self.get(offset..)?.first_chunk()
    }

    fn holds(&self, length: usize) -> bool {
        self.len() >= length
    }
}
