//! tally against NumPy, numexpr, numba, polars, DuckDB, pyarrow, awk and CPython's own: `peers/run.py`, which installs
//! them and writes `peers/results.md`. Only when it is asked for: it takes minutes and the network.

use std::path::Path;
use std::process::Command;

/// The name that asks for it.
pub(crate) const NAME: &str = "peers";

/// Whether it went well, and tally was right everywhere.
pub(crate) fn run(binary: &str, options: &[String]) -> bool {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/run.py");
    let status = Command::new("python3").arg(script).arg("--tally").arg(binary).args(options).status();
    match status {
        Ok(status) => status.success(),
        Err(why) => {
            println!("could not start python3: {why}");
            false
        }
    }
}
