//! "Did you mean": near words, and what other tools call the same thing.
//!
//! Only what the caller lists is ever suggested, so nothing hidden can come out.

use tally_protocol::near;

/// What other tools say, and what it is here.
const ELSEWHERE: &[(&str, &str)] = &[
    ("avg", "mean"),
    ("average", "mean"),
    ("std", "stddev"),
    ("stdev", "stddev"),
    ("sd", "stddev"),
    ("var", "variance"),
    ("len", "count"),
    ("length", "count"),
    ("size", "count"),
    ("total", "sum"),
    ("add", "sum"),
    ("prod", "product"),
    ("mul", "product"),
    ("minimum", "min"),
    ("maximum", "max"),
    ("fact", "factorial"),
    ("kill", "cancel"),
    ("abort", "cancel"),
    ("rm", "cancel"),
    ("ls", "jobs"),
    ("ps", "jobs"),
    ("list", "jobs"),
    ("queue", "jobs"),
    ("logs", "show"),
    ("log", "show"),
    ("inspect", "show"),
    ("describe", "show"),
    ("why", "explain"),
    ("tail", "follow"),
    ("watch", "follow"),
    ("attach", "follow"),
    ("info", "status"),
    ("suspend", "pause"),
    ("hold", "pause"),
    ("continue", "resume"),
    ("unpause", "resume"),
    ("rerun", "retry"),
    ("restart", "retry"),
    ("sem", "semaphore"),
    ("mutex", "lock"),
    ("manual", "man"),
    ("server", "daemon"),
    ("serve", "daemon"),
    ("start", "daemon"),
    ("shutdown", "stop"),
    ("quit", "stop"),
    ("exit", "exit-codes"),
    ("exit", "stop"),
    ("--jobs", "--workers"),
    ("--threads", "--workers"),
    ("--processes", "--workers"),
    ("-j", "--workers"),
    ("-n", "--workers"),
    ("-w", "--workers"),
    ("-p", "--workers"),
    ("-v", "--verbose"),
    ("-s", "--socket"),
    ("--silent", "--quiet"),
    ("--background", "--detach"),
    ("-d", "--detach"),
    ("--by", "--step"),
    ("--group-by", "--by"),
    ("--groupby", "--by"),
    ("--column", "--of"),
    ("--columns", "--of"),
    ("--field", "--of"),
    ("--expr", "--of"),
    ("--filter", "--where"),
    ("--output", "--json"),
    ("version", "--version"),
    ("--chunks", "--partitions"),
    ("--ddof", "--population"),
    ("--memory", "--memory-limit"),
    ("--shm", "--transport"),
    ("thread", "threads"),
    ("process", "processes"),
    ("multiprocessing", "processes"),
    ("threading", "threads"),
    ("no", "never"),
    ("off", "never"),
    ("yes", "always"),
    ("on", "always"),
    ("queue", "mqueue"),
    ("mq", "mqueue"),
    ("named", "shm-named"),
];

/// What other tools compute and tally does not: a near word would be another number.
const NOT_HERE: &[&str] = &["median", "mode", "quantile", "quantiles", "percentile", "percentiles", "iqr"];

/// Whether a word means something that there is not, so that no other is meant.
pub(crate) fn is_elsewhere_only(word: &str) -> bool {
    NOT_HERE.contains(&word.to_lowercase().as_str())
}

/// At most two of `known` that `word` may have been meant as, the nearest first.
pub(crate) fn nearest<'k>(word: &str, known: &[&'k str]) -> Vec<&'k str> {
    let lower = word.to_lowercase();
    if NOT_HERE.contains(&lower.as_str()) && !known.contains(&lower.as_str()) {
        return Vec::new();
    }
    // One of those is enough: where there are topics, `exit` is no command.
    let mut elsewhere = ELSEWHERE.iter().filter(|(other, _)| *other == lower);
    let elsewhere = elsewhere.find_map(|(_, ours)| known.iter().copied().find(|one| one == ours));
    let mut found: Vec<(usize, &str)> = elsewhere.map(|one| (0, one)).into_iter().collect();
    for (distance, one) in near::nearest(word, known) {
        if found.iter().all(|(_, other)| *other != one) {
            found.push((distance, one));
        }
    }
    found.sort_by_key(|(distance, _)| *distance);
    found.into_iter().take(2).map(|(_, one)| one).collect()
}

/// `; did you mean 'sum'?`, or nothing: to be put after "could not run 'smu': no such command".
pub(crate) fn question(word: &str, known: &[&str]) -> String {
    match nearest(word, known)[..] {
        [] => String::new(),
        [one] => format!("; did you mean '{one}'?"),
        [one, other, ..] => format!("; did you mean '{one}' or '{other}'?"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMANDS: &[&str] =
        &["sum", "product", "min", "max", "count", "mean", "stddev", "jobs", "show", "cancel", "status"];

    #[test]
    fn near_words_are_found() {
        assert_eq!(nearest("smu", COMMANDS), ["sum"]);
        assert_eq!(nearest("meen", COMMANDS), ["mean"]);
        assert_eq!(nearest("SUM", COMMANDS), ["sum"]);
        assert_eq!(nearest("mx", COMMANDS), ["max"]);
        assert_eq!(nearest("stauts", COMMANDS), ["status"]);
        assert_eq!(nearest("prodcut", COMMANDS), ["product"]);
        assert_eq!(nearest("sho", COMMANDS), ["show"]);
        assert_eq!(nearest("mxn", COMMANDS), ["min"]);
    }

    #[test]
    fn far_words_are_not() {
        for word in ["", "x", "zebra", "sumsumsum", "a.csv"] {
            assert!(nearest(word, COMMANDS).is_empty(), "{word}");
        }
        assert_eq!(question("zebra", COMMANDS), "");
    }

    #[test]
    fn words_of_other_tools_are_known() {
        assert_eq!(nearest("avg", COMMANDS), ["mean"]);
        assert_eq!(nearest("std", COMMANDS), ["stddev"]);
        assert_eq!(nearest("len", COMMANDS), ["count"]);
        assert_eq!(nearest("kill", COMMANDS), ["cancel"]);
        assert_eq!(nearest("ls", COMMANDS), ["jobs"]);
        assert_eq!(nearest("ps", COMMANDS), ["jobs"]);
        assert!(nearest("median", COMMANDS).is_empty(), "the mean is another number");
        assert_eq!(nearest("--group-by", &["--of", "--by"]), ["--by"]);
        assert_eq!(nearest("logs", COMMANDS), ["show"]);
        assert_eq!(nearest("exit", &["stop", "exit-codes"]), ["exit-codes"], "where there are topics");
        assert_eq!(nearest("exit", &["stop"]), ["stop"]);
        assert!(nearest("watch", COMMANDS).is_empty(), "what is not listed is not suggested");
    }

    #[test]
    fn questions_name_at_most_two() {
        assert_eq!(question("smu", COMMANDS), "; did you mean 'sum'?");
        assert_eq!(question("abx", &["aby", "abz", "abw"]), "; did you mean 'aby' or 'abz'?");
    }
}
