//! The BPF objects that were built into this binary.

use thiserror::Error;

/// `lvs-ebpf`'s object, aligned as an ELF parser needs it; empty when it could not be built.
static DIRECTOR: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/lvs-xdp-director"));

/// The binary was built where the BPF program could not be.
#[derive(Debug, Error, PartialEq, Eq)]
#[error(
    "this lvs-xdp was built without its BPF program, as bpf-linker or core's source was missing: run \
     `cargo xtask setup`, then build it again"
)]
pub struct MissingObject;

/// The director's XDP program, as an ELF object.
///
/// # Errors
/// [`MissingObject`] when the binary was built without it.
pub fn director() -> Result<&'static [u8], MissingObject> {
    unless_empty(DIRECTOR)
}

fn unless_empty(object: &[u8]) -> Result<&[u8], MissingObject> {
    if object.is_empty() { Err(MissingObject) } else { Ok(object) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_object_is_a_missing_one() {
        assert_eq!(unless_empty(&[]), Err(MissingObject));
        assert_eq!(unless_empty(&[0x7f]), Ok(&[0x7f][..]));
    }

    #[test]
    fn the_object_is_aligned_for_its_64_bit_fields() {
        assert_eq!(DIRECTOR.as_ptr().align_offset(8), 0);
    }
}
