//! Chores of the project, run as `cargo xtask CHORE`.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "chores talk to the person who runs them")]

mod docgen;
mod fuzz;
mod install;
mod laws;
mod man;
mod package;
mod portable;
mod races;
mod sim;
mod torture;
mod vm;

use std::process::ExitCode;

const USAGE: &str =
    "usage: cargo xtask sim [--seeds N] [--from S]   simulated worlds of the machine, seeds S to S+N
       cargo xtask sim --trace SEED             the story of one world, one line for each event and action
       cargo xtask races [--count N]            ten daemons start at once, N times; one wins each time
       cargo xtask docgen                       what documents show: renewed where it has changed
       cargo xtask deb [--test]                 a Debian package; --test: tried in a Debian of its own
       cargo xtask tarball [--dynamic]          a tarball that installs itself, with a binary for any Linux
       cargo xtask wheel                        the Python package with the program in it
       cargo xtask static [--check FILE]        a binary that needs no library: built, looked at, tried
       cargo xtask old-glibc [V] [--check FILE] one for glibc 2.26, or V, and later (takes cargo-zigbuild and zig)
       cargo xtask man [--out DIR]              the manual pages, into target/man
       cargo xtask torture [--minutes N | --rounds N | --kills N] [--seed S] [--from ROUND] [--keep-going]
                                                jobs of all kinds while everybody is killed and stopped
       cargo xtask vm [--fetch] [--only bare|systemd] [--binary FILE]
                                                stories of control groups in a virtual machine
       cargo xtask fuzz [--runs N] [TARGET…]    the fuzzers, ten million runs of each (takes a nightly toolchain and cargo-fuzz)
       cargo xtask laws [--rounds N] [--seed S] the property tests, with cases that were never tried
       cargo xtask install [--destdir D] [--prefix P]   the release binary, its units, pages and completions, as files";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.split_first() {
        Some((chore, rest)) if chore == "sim" => sim::run(rest),
        Some((chore, rest)) if chore == "install" => install::run(rest),
        Some((chore, rest)) if chore == "docgen" => docgen::run(rest),
        Some((chore, rest)) if chore == "deb" => package::deb(rest),
        Some((chore, rest)) if chore == "tarball" => package::tarball(rest),
        Some((chore, rest)) if chore == "wheel" => package::wheel(rest),
        Some((chore, rest)) if chore == "static" => portable::fixed(rest),
        Some((chore, rest)) if chore == "old-glibc" => portable::old_glibc(rest),
        Some((chore, rest)) if chore == "man" => man::run(rest),
        Some((chore, rest)) if chore == "fuzz" => fuzz::run(rest),
        Some((chore, rest)) if chore == "laws" => laws::run(rest),
        Some((chore, rest)) if chore == "races" => races::run(rest),
        Some((chore, rest)) if chore == "torture" => torture::run(rest),
        Some((chore, rest)) if chore == "vm" => vm::run(rest),
        Some((chore, _)) => Err(format!("there is no chore '{chore}'\n{USAGE}")),
        None => Err(USAGE.to_owned()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("xtask: {why}");
            ExitCode::FAILURE
        }
    }
}
