//! Completion of command lines: what a shell is answered, and what real shells make of it.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a test says what it skips")]

use std::fs;
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};

use tally_tests::{Daemon, Finished, Running, World, until};

const BINARY: &str = env!("CARGO_BIN_EXE_tally");
const TERMINAL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/terminal.py");

/// A directory with files, perhaps a daemon.
struct Scene {
    world: World,
}

impl Scene {
    fn new() -> Self {
        let world = World::new(BINARY);
        let write =
            |name: &str, text: &str| fs::write(world.path().join(name), text).expect("a file of ours");
        write("sales.csv", "region,price,quantity,unit price\nnorth,1,2,3\n");
        write("semi.csv", "alpha;beta\n1;2\n");
        write("picture.png", "");
        fs::create_dir(world.path().join("bin")).expect("a directory of ours");
        std::os::unix::fs::symlink(BINARY, world.path().join("bin/tally")).expect("a link of ours");
        Self { world }
    }

    fn with_daemon() -> (Self, Daemon) {
        let scene = Self::new();
        let daemon = scene.world.daemon(&["--workers", "1"]);
        (scene, daemon)
    }

    /// Asks once, as the lines of a shell do.
    fn ask(&self, shell: &str, words: &[&str]) -> Finished {
        let mut command = self.world.client(["--", "tally"].iter().chain(words));
        command
            .env("TALLY_COMPLETE", shell)
            .env("_CLAP_COMPLETE_INDEX", words.len().to_string())
            .env("_CLAP_IFS", "\n");
        let finished = Running::start(command).finish();
        assert_eq!((finished.code(), finished.stderr.as_str()), (0, ""), "{words:?}");
        finished
    }

    fn now(&self, shell: &str, words: &[&str]) -> Vec<String> {
        self.ask(shell, words).stdout.lines().map(str::to_owned).collect()
    }

    /// The candidates; on a machine that is too busy for the deadline there are none at first.
    fn offered(&self, shell: &str, words: &[&str]) -> Vec<String> {
        until(&format!("candidates for {words:?}"), || {
            let lines = self.now(shell, words);
            (!lines.is_empty()).then_some(lines)
        })
    }

    #[track_caller]
    fn offers(&self, words: &[&str], candidates: &[&str]) {
        assert_eq!(self.offered("bash", words), candidates, "{words:?}");
    }

    /// The same among others.
    #[track_caller]
    fn offers_also(&self, words: &[&str], candidate: &str) {
        let offered = self.offered("bash", words);
        assert!(offered.iter().any(|one| one == candidate), "{words:?}: {offered:?}");
    }
}

#[test]
fn commands_options_and_their_words_are_offered() {
    let scene = Scene::new();
    scene.offers(&["facto"], &["factorial"]);
    scene.offers(&["sum", "0..1", "--wor"], &["--workers"]);
    scene.offers(&["daemon", "--lease-"], &["--lease-ms"]);
    scene.offers(&["sum", "0..1", "--mode", "th"], &["threads"]);
    scene.offers(&["sum", "0..1", "--mode", "=", "th"], &["threads"]);
    scene.offers(&["sum", "0..1", "--transport", "shm"], &["shm", "shm-named"]);
    scene.offers(&["sum", "-5..5", "--on-bad", ""], &["error", "skip", "nan"]);
    scene.offers(&["reduce", "sum,me"], &["sum,mean"]);
    scene.offers(&["config", "s"], &["show"]);
    scene.offers(&["config", "show", "wor"], &["workers"]);
    scene.offers(&["config", "check", "sal"], &["sales.csv"]);
    scene.offers(&["lab", "race", "--lock", "swa"], &["swap"]);
    scene.offers(&["lab", "race", "--lock", "swap,tic"], &["swap,ticket"]);
    scene.offers_also(&["lock", "door", "--", "gre"], "grep");
    scene.offers(&["lock", "door", "--", "grep", "sal"], &["sales.csv"]);
    scene.offers(&["queue", "work", "get", "--hold", "--", "./sal"], &["./sales.csv"]);
    scene.offers(&["help", "exit"], &["exit-codes"]);
    scene.offers(&["help", "json", "jo"], &["job", "jobs"]);
    scene.offers(&["completion", "z"], &["zsh"]);
    scene.offers(&["man", "tally.t"], &["tally.toml"]);
    scene.offers(&["value", "x", "c"], &["cas"]);
    scene.offers_also(&["jobs", "--format", ""], "\\{job\\}");
    scene.offers(&["jobs", "--format", "'{job} {sta"], &["{job} {start}", "{job} {state}"]);
    scene.world.finish();
}

#[test]
fn columns_are_those_of_the_file_on_the_line() {
    let scene = Scene::new();
    scene.offers(&["sum", "s"], &["sales.csv", "semi.csv"]);
    scene.offers(&["sum", "sales.csv", "--of", "pri"], &["price"]);
    scene.offers(&["sum", "sales.csv", "--of", "'price * qua"], &["price * quantity"]);
    scene.offers(&["sum", "sales.csv", "--where", "\"abs(re"], &["abs(region"]);
    scene.offers(&["sum", "sales.csv", "--by", "region,q"], &["region,quantity"]);
    scene.offers(&["sum", "semi.csv", "--delimiter", "';'", "--of", "al"], &["alpha"]);
    scene.offers_also(&["sum", "sales.csv", "--of", ""], "col\\(\\\"unit\\ price\\\"\\)");
    scene.offers(&["sum", "0..10", "--of", "'2 * sq"], &["2 * sqrt("]);
    scene.offers(&["sum", "0..10", "--of", "sq"], &["sqrt\\("]);
    scene.world.finish();
}

#[test]
fn what_the_daemon_has_is_offered_with_a_word_about_it() {
    let (scene, daemon) = Scene::with_daemon();
    let ask = |line: &str| assert_eq!(scene.world.ask(line.split_whitespace()).code(), 0, "{line}");
    ask("sum 0..10 --detach");
    ask("wait j1");
    ask("sum 0..1e15 --of i*i%7 --detach");
    ask("pause j2");
    ask("value hits add 1");
    ask("dict prices set apple 1");
    ask("dict prices set pear 2");
    scene.offers(&["show", "j"], &["j2", "j1"]);
    scene.offers(&["result", "j"], &["j1"]);
    scene.offers(&["resume", "j"], &["j2"]);
    assert_eq!(scene.offered("fish", &["result", "j"]), ["j1\tdone sum 0..10"]);
    assert_eq!(scene.offered("zsh", &["result", "j"]), ["j1:done sum 0..10"]);
    scene.offers(&["value", "h"], &["hits"]);
    scene.offers(&["dict", "prices", "get", "a"], &["apple"]);
    scene.offers(&["watch", "p"], &["prices"]);
    scene.offers(&["objects", "rm", "hi"], &["hits"]);
    ask("cancel j2");
    // More than once, as on a busy machine nothing is offered rather than late.
    let held = "export TALLY_SOCKET=$PWD/run/tally.sock; $TALLY lock door -- env TALLY_COMPLETE=bash _CLAP_COMPLETE_INDEX=2 \
         sh -c 'for try in 1 2 3 4 5 6 7 8 9; do $TALLY -- tally lock do; done'";
    let finished = Running::start(scene.world.script(held)).finish();
    assert!(finished.stdout.contains("door"), "{finished:?}");
    daemon.stop();
    scene.world.finish();
}

#[test]
fn it_is_silent_where_there_is_nothing_to_say() {
    let scene = Scene::new();
    assert!(scene.now("bash", &["show", "j"]).is_empty(), "there is no daemon, and none is started");
    assert!(scene.world.processes().is_empty());
    assert!(scene.now("bash", &["sum", "no.csv", "--of", "pri"]).is_empty());
    // A daemon that takes connections and never answers.
    let deaf = UnixListener::bind(scene.world.socket()).expect("a socket of ours");
    assert!(scene.now("bash", &["show", "j"]).is_empty());
    drop(deaf);
    fs::remove_file(scene.world.socket()).expect("it is ours");
    // The variable alone is no request.
    let mut command = scene.world.command(["sum", "0..10"]);
    command.env("TALLY_COMPLETE", "bash");
    Running::start(command).finish().answered("45\n");
    // A pipe would wait for somebody who writes.
    let pipe = Running::start(scene.world.script("mkfifo pipe.csv")).finish();
    assert_eq!(pipe.code(), 0);
    assert!(scene.now("bash", &["sum", "pipe.csv", "--of", "pri"]).is_empty());
    scene.world.finish();
}

#[test]
fn the_lines_for_a_shell_are_few() {
    let scene = Scene::new();
    for shell in ["bash", "zsh", "fish"] {
        let stub = scene.world.run(["completion", shell]);
        assert_eq!((stub.code(), stub.stderr.as_str()), (0, ""));
        assert!(stub.stdout.contains("TALLY_COMPLETE") && stub.stdout.len() < 2_000, "{}", stub.stdout);
    }
    scene.world.finish();
}

/// Types into a shell on a terminal, and waits for what it makes of it.
fn typed(scene: &Scene, shell: &str, text: &str, wanted: &str) {
    let python = scene.world.script("exec python3 \"$@\"");
    let mut command = Command::new("python3");
    command.args([TERMINAL, "100", "shell", shell, text, wanted]).current_dir(scene.world.path()).env_clear();
    command.envs(python.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let path = format!("{}:/usr/bin:/bin", scene.world.path().join("bin").display());
    command
        .env("PATH", path)
        .env("TERM", "xterm")
        .env("TALLY_SOCKET", scene.world.socket())
        .env("LC_ALL", "C.UTF-8");
    let finished = Running::start(command).finish();
    assert_eq!(finished.code(), 0, "{shell}, {text}: {}{}", finished.stdout, finished.stderr);
}

fn is_there(program: &str) -> bool {
    let there = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    there.is_ok_and(|status| status.success())
}

#[test]
fn real_shells_complete() {
    let (scene, daemon) = Scene::with_daemon();
    assert_eq!(scene.world.ask(["sum", "0..10", "--detach"]).code(), 0);
    assert_eq!(scene.world.ask(["wait", "j1"]).code(), 0);
    for shell in ["bash", "zsh", "fish"] {
        if !is_there("python3") || !is_there(shell) {
            println!("skipped: there is no {shell}, or no python3 for a terminal");
            continue;
        }
        typed(&scene, shell, "tally facto", "factorial");
        typed(&scene, shell, "tally sum sales.csv --of pri", "price");
        typed(&scene, shell, "tally sum sales.csv --of 'price * qua", "quantity");
        // Others draw colours between the letters.
        if shell == "bash" {
            typed(&scene, shell, "tally sum sales.csv --of \"price * qua", "price * quantity\"");
            typed(&scene, shell, "tally sum 0..10 --of 'sq", "'sqrt('");
        }
        typed(&scene, shell, "tally result j", "j1");
    }
    daemon.stop();
    // What shells write down for themselves is not ours.
    for directory in ["home", "tmp"] {
        fs::remove_dir_all(scene.world.path().join(directory)).ok();
        fs::create_dir(scene.world.path().join(directory)).ok();
    }
    scene.world.finish();
}
