//! Builds the BPF programs that the director is measured with and against.

fn main() -> anyhow::Result<()> {
    bpf_build::build_object(bpf_build::BENCH)
}
