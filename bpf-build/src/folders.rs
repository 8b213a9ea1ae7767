use std::{
    env,
    path::{Path, PathBuf},
};

/// Where the workspace keeps what the BPF build needs and makes.
#[derive(Clone, Debug)]
pub struct Folders {
    root: PathBuf,
    target: PathBuf,
}

impl Folders {
    /// The folders of the workspace that this crate was compiled in. `CARGO_TARGET_DIR` is followed.
    #[must_use]
    pub fn of_workspace() -> Self {
        let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = crate_folder.parent().unwrap_or(crate_folder);
        Self::new(root, env::var_os("CARGO_TARGET_DIR").map(PathBuf::from))
    }

    fn new(root: &Path, target: Option<PathBuf>) -> Self {
        let target = target.unwrap_or_else(|| PathBuf::from("target"));
        Self { root: root.to_owned(), target: root.join(target) }
    }

    /// The workspace itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Tools that the workspace installs for itself; their programs are in `bin` below.
    #[must_use]
    pub fn tools(&self) -> PathBuf {
        self.target.join("tools")
    }

    /// The target folder of the BPF build: not the outer one, whose lock the outer cargo holds, and shared by
    /// its debug and release builds.
    #[must_use]
    pub fn bpf_target(&self) -> PathBuf {
        self.target.join("bpf")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_folder_is_below_the_workspace_unless_cargo_was_told_otherwise() {
        let root = Path::new("/src/lvs-xdp");
        assert_eq!(Folders::new(root, None).tools(), Path::new("/src/lvs-xdp/target/tools"));
        assert_eq!(Folders::new(root, Some("/fast".into())).bpf_target(), Path::new("/fast/bpf"));
        assert_eq!(Folders::new(root, Some("out".into())).bpf_target(), Path::new("/src/lvs-xdp/out/bpf"));
    }
}
