//! Keys and tokens that their issuers made easy to recognise. The forms are those that the issuers document for finding
//! leaked ones; each names what it begins with, what it is made of and how long that is.

use std::ops::RangeInclusive;

use super::placeholder;

/// How one issuer writes what it issues.
struct Form {
    issuer: &'static str,
    /// As a word begins with it.
    prefix: &'static str,
    body: Alphabet,
    /// Characters of the body.
    length: RangeInclusive<usize>,
}

/// What a body is made of.
#[derive(Clone, Copy)]
enum Alphabet {
    /// Letters and digits.
    Word,
    /// Letters, digits, `_` and `-`.
    Url,
    /// The same with `.` and `/`.
    Path,
    /// Capital letters and digits.
    Upper,
    /// Digits and `a` to `f`.
    Hex,
}

const fn form(issuer: &'static str, prefix: &'static str, body: Alphabet, least: usize) -> Form {
    Form { issuer, prefix, body, length: least..=usize::MAX }
}

const fn exact(issuer: &'static str, prefix: &'static str, body: Alphabet, length: usize) -> Form {
    Form { issuer, prefix, body, length: length..=length }
}

const FORMS: [Form; 57] = [
    exact("AWS", "AKIA", Alphabet::Upper, 16),
    exact("AWS", "ASIA", Alphabet::Upper, 16),
    form("Age", "AGE-SECRET-KEY-1", Alphabet::Upper, 58),
    exact("Alibaba Cloud", "LTAI", Alphabet::Word, 20),
    form("Anthropic", "sk-ant-", Alphabet::Url, 40),
    form("Atlassian", "ATATT3", Alphabet::Url, 60),
    exact("Databricks", "dapi", Alphabet::Hex, 32),
    form("DigitalOcean", "dop_v1_", Alphabet::Hex, 64),
    form("DigitalOcean", "doo_v1_", Alphabet::Hex, 64),
    form("DigitalOcean", "dor_v1_", Alphabet::Hex, 64),
    form("Discord", "discord.com/api/webhooks/", Alphabet::Path, 60),
    form("Docker Hub", "dckr_pat_", Alphabet::Url, 27),
    form("Doppler", "dp.pt.", Alphabet::Word, 40),
    form("GitHub", "ghp_", Alphabet::Word, 36),
    form("GitHub", "gho_", Alphabet::Word, 36),
    form("GitHub", "ghu_", Alphabet::Word, 36),
    form("GitHub", "ghs_", Alphabet::Word, 36),
    form("GitHub", "ghr_", Alphabet::Word, 36),
    form("GitHub", "github_pat_", Alphabet::Url, 50),
    form("GitLab", "glpat-", Alphabet::Url, 20),
    form("GitLab", "gldt-", Alphabet::Url, 20),
    form("GitLab", "glrt-", Alphabet::Url, 20),
    form("GitLab", "glptt-", Alphabet::Url, 20),
    form("GitLab", "glcbt-", Alphabet::Url, 20),
    form("GitLab", "glsoat-", Alphabet::Url, 20),
    form("GitLab", "glagent-", Alphabet::Url, 20),
    exact("Google", "AIza", Alphabet::Url, 35),
    form("Google", "ya29.", Alphabet::Url, 30),
    form("Google", "GOCSPX-", Alphabet::Url, 28),
    form("Grafana", "glsa_", Alphabet::Url, 32),
    form("Grafana", "glc_", Alphabet::Url, 32),
    form("Hugging Face", "hf_", Alphabet::Word, 30),
    form("Linear", "lin_api_", Alphabet::Word, 32),
    form("New Relic", "NRAK-", Alphabet::Upper, 27),
    form("OpenAI", "sk-proj-", Alphabet::Url, 40),
    form("OpenAI", "sk-svcacct-", Alphabet::Url, 40),
    form("a service with keys that begin with sk-", "sk-", Alphabet::Word, 32),
    form("Postman", "PMAK-", Alphabet::Url, 50),
    form("PyPI", "pypi-AgE", Alphabet::Url, 50),
    form("SendGrid", "SG.", Alphabet::Path, 60),
    form("Shopify", "shpat_", Alphabet::Hex, 32),
    form("Shopify", "shpss_", Alphabet::Hex, 32),
    form("Slack", "xoxb-", Alphabet::Url, 20),
    form("Slack", "xoxp-", Alphabet::Url, 20),
    form("Slack", "xoxa-", Alphabet::Url, 20),
    form("Slack", "xoxs-", Alphabet::Url, 20),
    form("Slack", "xapp-", Alphabet::Url, 20),
    form("Slack", "hooks.slack.com/services/", Alphabet::Path, 40),
    form("Stripe", "sk_live_", Alphabet::Word, 16),
    form("Stripe", "rk_live_", Alphabet::Word, 16),
    form("Stripe", "sk_test_", Alphabet::Word, 16),
    form("Stripe", "rk_test_", Alphabet::Word, 16),
    form("Stripe", "whsec_", Alphabet::Word, 32),
    form("Vault", "hvs.", Alphabet::Url, 24),
    form("Vault", "hvb.", Alphabet::Url, 24),
    form("Vault", "hvr.", Alphabet::Url, 24),
    form("npm", "npm_", Alphabet::Word, 36),
];

/// Every form has so many characters of its body in a row. Most texts have not, and this is asked of every one.
const LONGEST_RUN: usize = 16;

/// The issuer of the token in a text, and the token.
pub(super) fn find(text: &str) -> Option<(&'static str, &str)> {
    let may = text.split(|c| !Alphabet::Url.holds(c)).any(|run| run.len() >= LONGEST_RUN);
    let found = if may { words(text).find_map(begins_with_token) } else { None };
    found.or_else(|| azure_secret(text).map(|secret| ("Azure", secret)))
}

/// The text from each place on where a word begins.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut inside = false;
    text.char_indices().filter_map(move |(at, c)| {
        let begins = c.is_ascii_alphanumeric() && !inside;
        inside = c.is_ascii_alphanumeric();
        if begins { text.get(at..) } else { None }
    })
}

fn begins_with_token(text: &str) -> Option<(&'static str, &str)> {
    FORMS.iter().find_map(|form| {
        let rest = text.strip_prefix(form.prefix)?;
        let length = rest.find(|c| !form.body.holds(c)).unwrap_or(rest.len());
        let fits = form.length.contains(&length) && !placeholder::is_example(rest.get(..length)?);
        fits.then(|| text.get(..form.prefix.len() + length)).flatten().map(|token| (form.issuer, token))
    })
}

/// A client secret of Azure's: `Q~` behind three characters and a digit, with 31 or more after it.
fn azure_secret(text: &str) -> Option<&str> {
    if !text.contains('~') {
        return None;
    }
    let holds = |c: char| c.is_ascii_alphanumeric() || "_~.-".contains(c);
    text.match_indices("Q~").find_map(|(at, mark)| {
        let start = at.checked_sub(4)?;
        let begins = text.get(start..at)?;
        let rest = text.get(at + mark.len()..)?;
        let length = rest.find(|c| !holds(c)).unwrap_or(rest.len());
        let fits = begins.chars().all(holds) && begins.ends_with(|c: char| c.is_ascii_digit()) && length >= 31;
        if fits { text.get(start..at + mark.len() + length) } else { None }
    })
}

impl Alphabet {
    fn holds(self, c: char) -> bool {
        match self {
            Self::Word => c.is_ascii_alphanumeric(),
            Self::Url => c.is_ascii_alphanumeric() || "_-".contains(c),
            Self::Path => c.is_ascii_alphanumeric() || "_-./".contains(c),
            Self::Upper => c.is_ascii_uppercase() || c.is_ascii_digit(),
            Self::Hex => matches!(c, '0'..='9' | 'a'..='f'),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A body of that many characters that is no example.
    fn body(form: &Form) -> String {
        let letters = match form.body {
            Alphabet::Hex => "09af3b7c1e",
            Alphabet::Upper => "Q7ZK2MWB4T",
            Alphabet::Word | Alphabet::Url | Alphabet::Path => "aQ7zK2mWb4",
        };
        letters.chars().cycle().take(*form.length.start()).collect()
    }

    #[test]
    fn every_form_is_found_in_the_middle_of_a_text() {
        for form in &FORMS {
            let token = format!("{}{}", form.prefix, body(form));
            let text = format!("Bearer \"{token}\" ");
            assert_eq!(find(&text), Some((form.issuer, token.as_str())), "{}", form.prefix);
        }
    }

    #[test]
    fn one_that_is_too_short_or_inside_a_word_is_none() {
        for form in &FORMS {
            let short: String = body(form).chars().skip(1).collect();
            assert!(find(&format!("{}{short}", form.prefix)).is_none(), "{}", form.prefix);
        }
        assert!(find("task-aQ7zK2mWb4aQ7zK2mWb4aQ7zK2mWb4aQ7zK2mWb4").is_none());
    }

    #[test]
    fn examples_are_none() {
        assert!(find("AKIAIOSFODNN7EXAMPLE").is_none());
        assert!(find("ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx").is_none());
    }

    #[test]
    fn a_client_secret_of_azure_is_found() {
        assert!(find("abc8Q~aQ7zK2mWb4aQ7zK2mWb4aQ7zK2mWb4a").is_some());
        assert!(find("abcdQ~aQ7zK2mWb4aQ7zK2mWb4aQ7zK2mWb4a").is_none());
    }
}
