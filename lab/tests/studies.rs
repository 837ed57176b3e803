//! Every study, with real processes: what it claims is what it sees.
//!
//! Without the usual harness, because only a process of one thread may fork.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "the report of the checks")]

use tally_lab::{Options, Study, run};

fn main() {
    let only: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    for study in Study::ALL {
        if !only.is_empty() && !only.iter().any(|name| name == study.name()) {
            continue;
        }
        println!("test {} ...", study.name());
        let report = run(study, &Options::default()).unwrap();
        println!("{}", report.text());
        assert!(report.holds(), "{}", study.name());
    }
}
