//! What the kernel's verifier makes of the program.

use lvs_userspace::dataplane::{Dataplane, Sizes, object};

/// A fifth of what the kernel walks at most (`BPF_COMPLEXITY_LIMIT_INSNS`): what is to come needs room.
const VERIFIED_INSTRUCTIONS: u32 = 200_000;

#[test]
fn the_verifier_is_done_long_before_its_limit() -> anyhow::Result<()> {
    let sizes = Sizes { connections: 4, servers: 4, slots: 4 };
    let (verified, bytes) = Dataplane::load(object::director()?, sizes, [1, 2, 3])?.program_cost()?;
    println!("director: {verified} verified instructions, {bytes} bytes of machine code");
    assert!(bytes > 0, "the program is not compiled to machine code: is net.core.bpf_jit_enable 0?");
    assert!((1..VERIFIED_INSTRUCTIONS).contains(&verified), "{verified} verified instructions");
    Ok(())
}
