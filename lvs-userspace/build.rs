//! Builds the director's BPF program and puts its object where `dataplane::object` includes it from.

fn main() -> anyhow::Result<()> {
    bpf_build::build_object(bpf_build::DIRECTOR)
}
