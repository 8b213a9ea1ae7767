//! What the kernel side and the user side of `lvs-xdp` agree on, and every decision about a packet.
#![cfg_attr(not(test), no_std)]
