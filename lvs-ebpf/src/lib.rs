//! What the BPF programs of `lvs-xdp` are made of: packet memory to `lvs-common`, and its verdict to an XDP action.
#![no_std]

pub mod clock;
pub mod maps;
pub mod packet;
mod receive;
pub mod rewrite;
pub mod tables;

pub use self::receive::receive;

#[cfg(target_arch = "bpf")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
