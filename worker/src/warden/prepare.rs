//! From the words of a command to what can be started: as whom, where, which file, with what.
//!
//! Done once for each warden. The order matters: first the user, so that everything after is found, or refused, as that
//! user would find it.

use std::ffi::{CStr, CString, OsStr};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;

use tally_protocol::JobId;
use tally_protocol::command::{Command, FILE, Form, PLACEHOLDERS};
use tally_protocol::limits;
use tally_sys::process::{self, Child, Constraints, Launcher, NoProgram};
use tally_sys::reason::reason;
use tally_sys::shortage::Shortage;
use tally_sys::{fd, privileges};

/// Where programs are looked for when the command has no PATH.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";
/// Rights that files get of a command that says nothing of them.
const UMASK: u32 = 0o022;

/// Why a command cannot be run, whatever the partition.
#[derive(Clone, Debug)]
pub(crate) struct Unfit {
    /// After "could not".
    pub(crate) why: String,
    pub(crate) hint: Option<String>,
}

/// The values of what stands in braces in a command.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    /// In the order of `PLACEHOLDERS`.
    pub(crate) values: [String; 6],
    /// The file that is the partition, if it has a name.
    pub(crate) file: Option<String>,
}

/// A command that can be started.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) command: Box<Command>,
    launcher: Launcher,
    shortage: Option<Shortage>,
    path: CString,
    environment: Vec<CString>,
    nothing: OwnedFd,
}

/// The ends of a started command's pipes.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) child: Child,
    pub(crate) stdin: Option<OwnedFd>,
    pub(crate) stdout: OwnedFd,
    pub(crate) stderr: OwnedFd,
}

impl Prepared {
    /// Becomes the user, goes to the directory, finds the program.
    pub(crate) fn new(command: Box<Command>, job: JobId, slot: u16) -> Result<Self, Unfit> {
        let plain = |why: String| Unfit { why, hint: None };
        // It is none of the user's.
        let shortage = Shortage::begin();
        match &command.run_as {
            Some(who) => privileges::become_user(who.uid, who.gid, &who.groups).map_err(plain)?,
            None => privileges::stay_user().map_err(plain)?,
        }
        let request = &command.request;
        let directory = request.directory.as_deref().unwrap_or("/");
        std::env::set_current_dir(directory).map_err(|why| Unfit {
            why: format!("run the command in {directory}: {}", reason(&why)),
            hint: Some("a command runs in the directory it was submitted from, or in --chdir".to_owned()),
        })?;
        let variables: Vec<Vec<u8>> = request.variables().into_iter().filter(|one| !is_ours(one)).collect();
        let path = variables.iter().find_map(|one| one.strip_prefix(b"PATH="));
        let path = OsStr::from_bytes(path.unwrap_or(PATH.as_bytes())).to_os_string();
        let name = command.words.first().map_or("", String::as_str);
        let path = process::find_program(name, &path)
            .map_err(|why| not_run(name, directory, &path.to_string_lossy(), &why))?;
        let constant = [format!("TALLY_JOB={job}"), format!("TALLY_SLOT={slot}")];
        let constant = constant.map(String::into_bytes);
        let environment = variables.into_iter().chain(constant).map(CString::new).collect::<Result<_, _>>();
        Ok(Self {
            launcher: Launcher::new(&Constraints {
                memory_bytes: command.memory_limit_bytes,
                cpu_seconds: request.cpu_limit_s,
                files: request.files_max,
                nice: command.nice,
                cpus: request.cpus.clone(),
                umask: request.umask.unwrap_or(UMASK),
            }),
            shortage,
            path,
            environment: environment
                .map_err(|_| plain("run a command with a NUL character in it".to_owned()))?,
            nothing: fd::null_device().map_err(|why| plain(format!("open /dev/null: {why}")))?,
            command,
        })
    }

    /// Starts it, for a partition: the only one it is asked for, or the first.
    pub(crate) fn start(&mut self, told: &Told) -> Result<Started, Refused> {
        let each = self.command.form == Form::Each;
        if each && told.file.is_none() && self.command.words.iter().any(|word| word.contains(FILE)) {
            return Err(Refused::ForGood(Unfit {
                why: "put the path of a file for {file}: it has no name".to_owned(),
                hint: Some("the command can read it from standard input".to_owned()),
            }));
        }
        let (stdin, stdin_end) = match (self.command.form, self.command.request.feed) {
            (Form::Persistent, _) | (Form::Each, Some(_)) => {
                let (theirs, ours) = fd::pipe()?;
                fd::set_nonblocking(&ours, true)?;
                (Some(ours), Some(theirs))
            }
            (Form::Each, None) => (None, None),
        };
        let (stdout, stdout_end) = fd::pipe()?;
        let (stderr, stderr_end) = fd::pipe()?;
        fd::set_nonblocking(&stdout, true)?;
        fd::set_nonblocking(&stderr, true)?;
        let words =
            self.command.words.iter().map(|word| CString::new(filled(word, Some(told).filter(|_| each))));
        let words: Vec<CString> = words.collect::<Result<_, _>>().map_err(io::Error::other)?;
        let added = told.variables();
        let variables: Vec<&CStr> = self.environment.iter().chain(&added).map(CString::as_c_str).collect();
        let input: BorrowedFd<'_> = stdin_end.as_ref().map_or(self.nothing.as_fd(), AsFd::as_fd);
        let streams = [input, stdout_end.as_fd(), stderr_end.as_fd()];
        let Self { launcher, shortage, path, .. } = self;
        let mut start = || launcher.start(path, &words, &variables, streams);
        // When memory runs out, whoever tells of it is to live on.
        let child = match shortage {
            Some(shortage) => shortage.offering(start),
            None => start(),
        };
        let child = child.map_err(|why| self.refused(why))?;
        Ok(Started { child, stdin, stdout, stderr })
    }

    /// The file was there when it was looked for: what it needs is not, or it may not be run.
    fn refused(&self, why: io::Error) -> Refused {
        let name = self.command.words.first().map_or("", String::as_str);
        match why.kind() {
            io::ErrorKind::NotFound => Refused::ForGood(Unfit {
                why: format!("run '{name}': what it names in its first line, or as its loader, is not there"),
                hint: None,
            }),
            io::ErrorKind::PermissionDenied => Refused::ForGood(Unfit {
                why: format!("run '{name}': {}", reason(&why)),
                hint: Some("its file system may forbid programs (noexec)".to_owned()),
            }),
            io::ErrorKind::InvalidInput if !self.command.request.cpus.is_empty() => {
                let cpus: Vec<String> = self.command.request.cpus.iter().map(u16::to_string).collect();
                Refused::ForGood(Unfit {
                    why: format!("run '{name}' on processors {}: not all of them can be had", cpus.join(",")),
                    hint: Some("'nproc' and 'taskset -p $$' tell which can be".to_owned()),
                })
            }
            io::ErrorKind::ArgumentListTooLong => Refused::ForGood(Unfit {
                why: format!("run '{name}': its words and environment are longer than the system takes"),
                hint: None,
            }),
            _ => Refused::Now(why),
        }
    }
}

/// Why a process was not started.
#[derive(Debug)]
pub(crate) enum Refused {
    /// It never will be.
    ForGood(Unfit),
    /// The system had no room for it.
    Now(io::Error),
    /// It needs not: there is nothing for it.
    Nothing,
}

impl From<io::Error> for Refused {
    fn from(why: io::Error) -> Self {
        Self::Now(why)
    }
}

impl Told {
    /// What a process that lives on reads.
    pub(crate) fn line(&self) -> String {
        let [start, end, partition, attempt, _, _] = &self.values;
        format!("{start} {end} {partition} {attempt}\n")
    }

    /// `TALLY_START=...` and so on, of what is not the same for all partitions.
    fn variables(&self) -> Vec<CString> {
        let file = self.file.iter().map(|file| (&"file", file));
        let all = PLACEHOLDERS.iter().zip(&self.values).take(4).chain(file);
        all.filter_map(|(name, value)| {
            CString::new(format!("TALLY_{}={value}", name.to_ascii_uppercase())).ok()
        })
        .collect()
    }
}

/// A word with what it names of a partition.
fn filled(word: &str, told: Option<&Told>) -> String {
    let Some(told) = told.filter(|_| word.contains('{')) else { return word.to_owned() };
    let mut text = word.to_owned();
    for (name, value) in PLACEHOLDERS.iter().zip(&told.values) {
        text = text.replace(&format!("{{{name}}}"), value);
    }
    // Last, so that nothing is put into the name of a file.
    match &told.file {
        Some(file) => text.replace(FILE, file),
        None => text,
    }
}

/// Whether a variable is one that tells of a partition, of a kernel that has submitted this job perhaps.
fn is_ours(variable: &[u8]) -> bool {
    let name = variable.split(|&byte| byte == b'=').next().and_then(|name| str::from_utf8(name).ok());
    name.and_then(|name| name.strip_prefix("TALLY_")).is_some_and(|name| {
        PLACEHOLDERS
            .iter()
            .chain(&["file"])
            .any(|one| one.eq_ignore_ascii_case(name) && name.bytes().all(|b| b.is_ascii_uppercase()))
    })
}

fn not_run(name: &str, directory: &str, path: &str, why: &NoProgram) -> Unfit {
    let shown: String = name.chars().take(limits::COMMAND_TEXT_BYTES_MAX).collect();
    let looked = if name.contains('/') {
        format!("it was looked for from {directory}")
    } else {
        format!("it was looked for in {path}")
    };
    let (why, hint) = match why {
        NoProgram::NotExecutable => {
            let hint = format!("chmod +x {shown}, or name the program that reads it: python3 {shown}");
            ("it is not executable".to_owned(), hint)
        }
        NoProgram::Hidden(at) => (format!("permission to search {} is missing", at.display()), looked),
        NoProgram::Absent => ("there is no such program".to_owned(), looked),
    };
    Unfit { why: format!("run '{shown}': {why}"), hint: Some(hint) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_filled_with_what_they_name() {
        let told = Told { values: ["5", "9", "2", "1", "j7", "0"].map(str::to_owned), file: None };
        assert_eq!(filled("--from={start} {end}{slot}", Some(&told)), "--from=5 90");
        assert_eq!(filled("{x} {partition}.{attempt} {job}", Some(&told)), "{x} 2.1 j7");
        assert_eq!(filled("{start}", None), "{start}");
        let odd = Told { file: Some("/a b/{start};x".to_owned()), ..told.clone() };
        assert_eq!(filled("-f{file}:{start}", Some(&odd)), "-f/a b/{start};x:5");
        let variables: Vec<_> =
            told.variables().iter().map(|one| one.to_string_lossy().into_owned()).collect();
        assert_eq!(variables, ["TALLY_START=5", "TALLY_END=9", "TALLY_PARTITION=2", "TALLY_ATTEMPT=1"]);
    }

    #[test]
    fn variables_of_an_outer_kernel_do_not_pass_for_this_one_s() {
        assert!(is_ours(b"TALLY_START=3") && is_ours(b"TALLY_SLOT=") && is_ours(b"TALLY_JOB=j1"));
        assert!(!is_ours(b"TALLY_SOCKET=/x") && !is_ours(b"PATH=/bin") && !is_ours(b"TALLY_starT=1"));
        assert!(is_ours(b"TALLY_JOB=\xff") && !is_ours(b"TALLY_\xff=1"));
    }
}
