//! What may be done about a server's error, by its code.

use redis::ServerError;

use super::StoreError;

/// The codes of Redis and Valkey (`src/server.c`, `createSharedObjects`, `src/cluster.c`) that a session store can meet.
const ADVICE: [(&str, &str); 22] = [
    ("NOAUTH", "the server wants a password: put it into the URL"),
    ("WRONGPASS", "the server knows no such user and password"),
    ("NOPERM", NOPERM),
    (
        "OOM",
        "the server has used up its maxmemory: raise it, or choose a policy that evicts",
    ),
    (
        "READONLY",
        "the server is a replica: sessions have to go to its primary",
    ),
    ("LOADING", "the server is still loading its data"),
    (
        "MISCONF",
        "the server cannot save to disk, and takes no writes until it can",
    ),
    (
        "MASTERDOWN",
        "the server is a replica that has lost its primary",
    ),
    (
        "NOREPLICAS",
        "the server has fewer replicas than its min-replicas-to-write",
    ),
    ("BUSY", "the server is busy with a script of somebody's"),
    ("TRYAGAIN", "the cluster is moving these keys"),
    (
        "CLUSTERDOWN",
        "the server's cluster does not serve at the moment",
    ),
    (
        "MOVED",
        "the server is part of a cluster: use a cluster client",
    ),
    (
        "ASK",
        "the server is part of a cluster: use a cluster client",
    ),
    (
        "CROSSSLOT",
        "the server is part of a cluster: use a cluster client",
    ),
    ("NOPROTO", "the server has no such protocol version"),
    (
        "NOSCRIPT",
        "the server forgot a script at once, twice: are its replies from one server?",
    ),
    (
        "DENIED",
        "the server is in protected mode: give it a password, or bind it to this machine",
    ),
    ("EXECABORT", "the server gave up a transaction"),
    ("WRONGTYPE", "something that is no record stands there"),
    (
        "UNKILLABLE",
        "the server is busy with a script of somebody's that has written already",
    ),
    ("NOTBUSY", "the server answered another question"),
];

const NOPERM: &str = "the user's ACL has to allow GET, GETEX, SET, DEL, EVAL, EVALSHA, WATCH, UNWATCH, MULTI and EXEC \
                      on the keys of sessions, and SELECT for a database other than 0";

/// Errors without a code of their own (`ERR`), told apart by the words of the server.
/// with the code that they are given here.
const ADVICE_BY_WORDS: [(&str, &str, &str); 8] = [
    (
        "unknown command",
        "ERR",
        "the server lacks a command: Redis 6.2 or newer, or Valkey, is needed, with no command renamed",
    ),
    (
        "syntax error",
        "ERR",
        "the server lacks an option of a command: Redis 6.2 or newer, or Valkey, is needed",
    ),
    (
        "max number of clients",
        "ERR",
        "the server has as many clients as its maxclients allows",
    ),
    (
        "without any password configured",
        "ERR",
        "the server has no password: take it out of the URL",
    ),
    (
        "DB index",
        "ERR",
        "the server has no database of that number",
    ),
    (
        "SELECT is not allowed",
        "ERR",
        "a cluster has no database but 0",
    ),
    ("user executing the script can't", "NOPERM", NOPERM),
    ("ACL failure in script", "NOPERM", NOPERM),
];

/// The error of a store for the error of a server.
pub(super) fn refused(error: &ServerError) -> StoreError {
    explained(error.code(), error.details().unwrap_or_default())
}

/// The same for a code and the words after it. The words themselves stay out of it: they may quote anything.
pub(crate) fn explained(code: &str, words: &str) -> StoreError {
    let known = |code: &str| ADVICE.iter().find(|(known, _)| *known == code);
    if let Some((code, advice)) = known(code).or_else(|| known(quoted(words))) {
        return of(code, advice);
    }
    for (part, code, advice) in ADVICE_BY_WORDS {
        if words.contains(part) {
            return of(code, advice);
        }
    }
    of(
        if is_code(code) { code } else { "ERR" },
        "see the server's log",
    )
}

fn of(code: &str, advice: &'static str) -> StoreError {
    StoreError::Refused {
        code: code.into(),
        advice,
    }
}

/// The code of the error that these words quote: before version 7, that of a command within a script
/// (`ERR Error running script (...): @user_script:2: -OOM command not allowed ...`).
fn quoted(words: &str) -> &str {
    let code = words.split_once(": -").map(|(_, error)| error);
    code.and_then(|error| error.split(' ').next())
        .unwrap_or_default()
}

/// Whether a new connection may fare better: to another server behind the same name, or with what was logged out.
pub(super) fn ends_connection(error: &ServerError) -> bool {
    matches!(error.code(), "READONLY" | "MASTERDOWN" | "NOAUTH")
}

/// Whether this is a code, and not the first word of a sentence.
fn is_code(word: &str) -> bool {
    (1..=24).contains(&word.len())
        && word
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use redis::Value;

    use super::*;

    fn code_and_advice(line: &str) -> (String, &'static str) {
        match redis::parse_redis_value(format!("-{line}\r\n").as_bytes()) {
            Ok(Value::ServerError(error)) => match refused(&error) {
                StoreError::Refused { code, advice } => (code.into(), advice),
                other => panic!("{other}"),
            },
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_error_is_told_by_its_code_and_never_in_the_servers_words() {
        for (line, code, advice) in [
            ("NOAUTH Authentication required.", "NOAUTH", "password"),
            (
                "OOM command not allowed when used memory > 'maxmemory'.",
                "OOM",
                "maxmemory",
            ),
            (
                "ERR Error running script (call to f_ab): @user_script:1: @user_script: 1: -OOM command not allowed",
                "OOM",
                "maxmemory",
            ),
            (
                "ERR Error running script (call to f_ab): @user_script:9: -READONLY You can't write",
                "READONLY",
                "replica",
            ),
            (
                "ERR The user executing the script can't run this command",
                "NOPERM",
                "ACL",
            ),
            (
                "ERR unknown command `GETEX`, with args beginning with: `s3cret`",
                "ERR",
                "6.2",
            ),
            (
                "MISCONF Redis is configured to save RDB snapshots",
                "MISCONF",
                "disk",
            ),
            (
                "LOADING Redis is loading the dataset in memory",
                "LOADING",
                "loading",
            ),
            ("MOVED 866 10.0.0.1:6379", "MOVED", "cluster"),
            (
                "CROSSSLOT Keys in request don't hash to the same slot",
                "CROSSSLOT",
                "cluster",
            ),
            ("NEWCODE s3cret", "NEWCODE", "log"),
            ("s3cret is wrong", "ERR", "log"),
            ("S3-CRET is wrong", "ERR", "log"),
            ("", "ERR", "log"),
        ] {
            let (found, words) = code_and_advice(line);
            assert_eq!(found, code, "{line}");
            assert!(words.contains(advice), "{line}: {words}");
        }
    }
}
