//! `vm`: stories of control groups, told in a virtual machine whose system has them all: first where nobody manages groups,
//! then under systemd with the units installed (`tests/vm/`). The processor is emulated, so it runs anywhere and slowly.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::install::succeed;
use crate::package::project;

/// Where what the machine needs is unpacked, and its files are made.
const PLACE: &str = "target/vm";
const QEMU: &str = "qemu-system-x86_64";
/// Who tells the stories, in this order.
const TELLERS: [&str; 2] = ["bare", "systemd"];
/// What the system is told: it speaks to the console, says little, remembers much, and ends where others would wait.
const SYSTEM: &str = "console=ttyS0 panic=-1 loglevel=2 log_buf_len=8M systemd.show_status=0 \
                      systemd.unified_cgroup_hierarchy=1";
/// What one boot with its stories may take.
const SECONDS_MAX: &str = "1800";

/// `vm [--fetch] [--only bare|systemd] [--binary FILE]`.
pub(crate) fn run(rest: &[String]) -> Result<(), String> {
    let (mut tellers, mut binary, mut rest) = (TELLERS.to_vec(), None, rest.iter());
    let place = project().join(PLACE);
    while let Some(flag) = rest.next() {
        match (flag.as_str(), rest.as_slice().first()) {
            ("--fetch", _) => succeed(Command::new(script("fetch.sh")).arg(&place))?,
            ("--only", Some(only)) if TELLERS.contains(&only.as_str()) => {
                tellers.retain(|one| one == only);
                rest.next();
            }
            ("--binary", Some(file)) => {
                binary = Some(PathBuf::from(file));
                rest.next();
            }
            _ => return Err("vm takes --fetch, --only bare|systemd and --binary FILE".to_owned()),
        }
    }
    let machine = Machine::find(&place)?;
    let binary = match binary {
        Some(binary) => binary,
        None => build()?,
    };
    let image = place.join("image");
    std::fs::create_dir_all(&place).map_err(|why| format!("could not make {}: {why}", place.display()))?;
    succeed(Command::new(script("image.sh")).arg(binary).arg(&image).env("PATH", path_with(&place)))?;
    let outcomes: Vec<_> = tellers.iter().map(|teller| machine.boot(&image, teller)).collect();
    outcomes.into_iter().collect()
}

/// What boots.
struct Machine {
    place: PathBuf,
    qemu: PathBuf,
    kernel: PathBuf,
}

impl Machine {
    fn find(place: &Path) -> Result<Self, String> {
        let path = path_with(place);
        let program =
            |name: &str| std::env::split_paths(&path).map(|one| one.join(name)).find(|file| file.exists());
        let kernels = std::fs::read_dir(place.join("boot")).into_iter().flatten().flatten();
        let mut kernels = kernels.filter(|file| file.file_name().to_string_lossy().starts_with("vmlinuz-"));
        let (qemu, cpio, kernel) = (program(QEMU), program("cpio"), kernels.next());
        let lacking: Vec<_> = [
            (qemu.is_none(), "qemu-system-x86"),
            (cpio.is_none(), "cpio"),
            (kernel.is_none(), "a kernel (linux-image-cloud-amd64)"),
        ]
        .into_iter()
        .filter_map(|(lacks, name)| lacks.then_some(name))
        .collect();
        let (Some(qemu), Some(kernel), []) = (qemu, kernel, lacking.as_slice()) else {
            return Err(format!(
                "the virtual machine lacks {}\n       'cargo xtask vm --fetch', as root, takes it from Debian's \
                 packages into {PLACE} and installs nothing",
                lacking.join(", ")
            ));
        };
        Ok(Self { place: place.to_path_buf(), qemu, kernel: kernel.path() })
    }

    /// Boots it, shows what it tells, and says whether all was well.
    fn boot(&self, image: &Path, teller: &str) -> Result<(), String> {
        let libraries = ["usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu"].map(|one| self.place.join(one));
        let libraries = std::env::join_paths(libraries).map_err(|why| why.to_string())?;
        let mut command = Command::new("timeout");
        command.arg(SECONDS_MAX).arg(&self.qemu).env("LD_LIBRARY_PATH", libraries);
        for data in ["usr/share/qemu", "usr/share/seabios"] {
            command.arg("-L").arg(self.place.join(data));
        }
        command
            .args(["-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-serial", "stdio"])
            .args(["-accel", "tcg,thread=multi", "-m", "1G", "-smp", "2"])
            .arg("-kernel")
            .arg(&self.kernel)
            .arg("-initrd")
            .arg(image)
            .arg("-append")
            .arg(format!("{SYSTEM} stories={teller}"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let failed = |why: std::io::Error| format!("could not run {}: {why}", self.qemu.display());
        let begun = tally_sys::clock::monotonic_ns();
        let mut running = command.spawn().map_err(failed)?;
        let console = running.stdout.take().ok_or("could not read the console")?;
        let mut well = false;
        for line in BufReader::new(console).split(b'\n') {
            let line = line.map_err(failed)?;
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end_matches('\r');
            well |= line == format!("all is well: {teller}");
            println!("{line}");
        }
        let status = running.wait().map_err(failed)?;
        let seconds = (tally_sys::clock::monotonic_ns() - begun) / 1_000_000_000;
        println!("{teller}: {seconds} s");
        if well { Ok(()) } else { Err(format!("not all was well in the stories of {teller} ({status})")) }
    }
}

fn build() -> Result<PathBuf, String> {
    succeed(Command::new(env!("CARGO")).args(["build", "--locked"]).current_dir(project()))?;
    Ok(project().join("target/debug/tally"))
}

fn script(name: &str) -> PathBuf {
    project().join("tests/vm").join(name)
}

/// Where programs are looked for: those of this machine first.
fn path_with(place: &Path) -> std::ffi::OsString {
    let own = std::env::var_os("PATH").unwrap_or_default();
    let unpacked = ["usr/bin", "bin"].map(|one| place.join(one));
    std::env::join_paths(std::env::split_paths(&own).chain(unpacked)).unwrap_or(own)
}
