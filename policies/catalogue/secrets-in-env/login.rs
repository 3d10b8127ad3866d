//! Users with their passwords among the arguments of curl: `-u name:password`. Other programs have other uses for the
//! flag, such as a user and a group, so that only curl's is read.

/// What of curl's command was read so far, word by word.
#[derive(Default)]
pub(super) struct Login {
    in_curl: bool,
    is_user_next: bool,
}

impl Login {
    /// The password in this word, which follows those before.
    pub(super) fn password<'v>(&mut self, word: &'v str) -> Option<&'v str> {
        let is_user = std::mem::take(&mut self.is_user_next);
        if word == "curl" || word.ends_with("/curl") {
            self.in_curl = true;
        } else if ["|", "||", "&", "&&"].contains(&word) {
            self.in_curl = false;
        }
        if !self.in_curl {
            return None;
        }
        self.is_user_next = asks_for_user(word);
        let user = word.strip_prefix("--user=").or(is_user.then_some(word))?;
        let (_, password) = user.split_once(':')?;
        // What the shell fills in may hold white space, at which words end: it is no password itself.
        let is_filled_in = password.contains(['$', '`']);
        (!password.is_empty() && !is_filled_in).then_some(password)
    }
}

/// `--user`, or short flags of which the last is `-u`.
fn asks_for_user(word: &str) -> bool {
    let short = word.strip_prefix('-').and_then(|flags| flags.strip_suffix('u'));
    word == "--user" || short.is_some_and(|flags| flags.chars().all(|flag| flag.is_ascii_alphabetic()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passwords(line: &str) -> Vec<&str> {
        let mut login = Login::default();
        line.split(' ').filter_map(|word| login.password(word)).collect()
    }

    #[test]
    fn passwords_follow_the_flags_of_curl() {
        for line in
            ["curl -u app:pass url", "/usr/bin/curl -fsSu app:pass url", "curl --user app:pass", "curl --user=app:pass"]
        {
            assert_eq!(passwords(line), ["pass"], "{line}");
        }
    }

    #[test]
    fn what_the_shell_fills_in_is_no_password() {
        for line in [
            "curl -u $USER:$PASS url",
            "curl -u app:${PASS} url",
            "curl -u app:$(PASS)",
            "curl -u app: url",
            "curl -u app url",
        ] {
            assert!(passwords(line).is_empty(), "{line}");
        }
    }

    #[test]
    fn users_and_groups_of_other_programs_are_left_alone() {
        for line in
            ["chroot -u app:staff /", "curl url && docker run -u 1000:1000 web", "curl url -o a:b", "curl http://a:80"]
        {
            assert!(passwords(line).is_empty(), "{line}");
        }
    }
}
