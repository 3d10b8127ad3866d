//! Connection strings that carry what opens the server: a password in a URL (RFC 3986, userinfo), a pair such as
//! `Password=…` or `AccountKey=…` beside one that names a server or a user, a signed URL of Azure's storage, and the
//! forms of their own that Oracle and Go's MySQL driver take.

use super::settings::Placeholders;

/// Keys of pairs whose value opens something.
const SECRET_KEYS: [&str; 6] = ["password", "passwd", "pwd", "accountkey", "sharedaccesskey", "sharedaccesssignature"];
/// Keys by which a text is known to be about a server.
const SERVER_KEYS: [&str; 18] = [
    "server",
    "host",
    "hostname",
    "data source",
    "datasource",
    "addr",
    "address",
    "endpoint",
    "accountname",
    "user",
    "user id",
    "userid",
    "uid",
    "username",
    "database",
    "dbname",
    "initial catalog",
    "sharedaccesskeyname",
];
/// The shortest signature of Azure's, in base64 of an HMAC.
const SHORTEST_SIGNATURE: usize = 40;

/// The password in a text that is a connection string or holds one.
pub(super) fn password(text: &str, placeholders: Placeholders) -> Option<&str> {
    // Most texts hold neither sign, and this is asked of every one.
    let behind_user = || {
        let in_form = in_urls(text, placeholders).or_else(|| of_go(text, placeholders));
        in_form.or_else(|| of_oracle(text, placeholders))
    };
    let found = if text.contains('@') { behind_user() } else { None };
    let in_pairs = || in_pairs(text, placeholders).or_else(|| signature(text, placeholders));
    found.or_else(|| if text.contains('=') { in_pairs() } else { None })
}

fn in_urls(text: &str, placeholders: Placeholders) -> Option<&str> {
    text.match_indices("://").find_map(|(at, sign)| {
        let rest = text.get(at + sign.len()..)?;
        let end = rest.find(|c: char| c.is_whitespace() || "/?#\"'`".contains(c)).unwrap_or(rest.len());
        let (user, _) = rest.get(..end)?.rsplit_once('@')?;
        let (_, password) = user.split_once(':')?;
        Some(password).filter(|password| !placeholders.hold(password))
    })
}

fn in_pairs(text: &str, placeholders: Placeholders) -> Option<&str> {
    let found = values(text, &SECRET_KEYS).find(|value| !placeholders.hold(value))?;
    let is_about_server = text.contains("://") || text.contains("jdbc:") || values(text, &SERVER_KEYS).next().is_some();
    is_about_server.then_some(found)
}

/// The values of these keys, in whatever case they are written.
fn values<'t>(text: &'t str, keys: &[&str]) -> impl Iterator<Item = &'t str> {
    text.match_indices('=').filter_map(move |(at, sign)| {
        let before = text.get(..at)?.trim_end_matches([' ', '"']);
        let is_one = keys.iter().any(|key| ends_with_word(before, key));
        let behind = text.get(at + sign.len()..).filter(|_| is_one)?;
        Some(value(behind.trim_start_matches(' ')))
    })
}

/// Whether the text ends with this word, and not with a longer one.
fn ends_with_word(text: &str, word: &str) -> bool {
    let parted = text.len().checked_sub(word.len()).and_then(|at| text.split_at_checked(at));
    parted.is_some_and(|(before, end)| {
        end.eq_ignore_ascii_case(word) && before.chars().next_back().is_none_or(|c| !c.is_alphanumeric())
    })
}

/// The value that a text begins with, in quotes or up to the next separator.
fn value(text: &str) -> &str {
    let quote = text.chars().next().filter(|c| "\"'".contains(*c));
    let end = match quote {
        Some(quote) => text.char_indices().skip(1).find(|(_, c)| *c == quote).map(|(at, _)| at),
        None => text.find(|c: char| c.is_whitespace() || ";&,\"'".contains(c)),
    };
    text.get(usize::from(quote.is_some())..end.unwrap_or(text.len())).unwrap_or_default()
}

/// `user:password@tcp(host:3306)/database`.
fn of_go(text: &str, placeholders: Placeholders) -> Option<&str> {
    let (user, _) = text.split_once("@tcp(").or_else(|| text.split_once("@unix("))?;
    let (_, password) = user.split_once(':')?;
    Some(password).filter(|password| !placeholders.hold(password))
}

/// `jdbc:oracle:thin:user/password@//host:1521/service`.
fn of_oracle(text: &str, placeholders: Placeholders) -> Option<&str> {
    let (_, rest) = text.split_once("jdbc:oracle:thin:")?;
    let (user, _) = rest.split_once('@')?;
    let (_, password) = user.split_once('/')?;
    Some(password).filter(|password| !placeholders.hold(password))
}

/// `…?sv=…&se=…&sig=…`: whoever has such a URL may do what it was signed for.
fn signature(text: &str, placeholders: Placeholders) -> Option<&str> {
    let is_one = |value: &&str| value.len() >= SHORTEST_SIGNATURE && !placeholders.hold(value);
    let signature = values(text, &["sig"]).find(is_one)?;
    values(text, &["sv", "se", "sp", "skn"]).next().map(|_| signature)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Option<&str> {
        super::password(text, Placeholders::Allow)
    }

    #[test]
    fn passwords_in_urls_are_found() {
        for text in [
            "postgres://app:hunter2@db:5432/shop",
            "redis://:hunter2@cache/0",
            "mongodb+srv://app:hunter2@a.example,b.example/db?w=1",
            "amqp://guest:hunter2@mq//",
            "first http://ok/ then https://u:hunter2@proxy:3128",
        ] {
            assert_eq!(password(text), Some("hunter2"), "{text}");
        }
    }

    #[test]
    fn passwords_in_pairs_are_found() {
        for text in [
            "Server=db;Database=shop;User Id=app;Password=hunter2;Encrypt=true",
            "host=db user=app password=hunter2 sslmode=require",
            "host=db password='hunter2' user=app",
            "jdbc:postgresql://db/shop?user=app&password=hunter2",
            "jdbc:sqlserver://db;user=app;password=hunter2",
            r#"org.apache.kafka.common.security.plain.PlainLoginModule required username="app" password="hunter2";"#,
            "DefaultEndpointsProtocol=https;AccountName=shop;AccountKey=hunter2;EndpointSuffix=core.windows.net",
            "Endpoint=sb://shop/;SharedAccessKeyName=Root;SharedAccessKey=hunter2",
        ] {
            assert_eq!(password(text), Some("hunter2"), "{text}");
        }
    }

    #[test]
    fn the_forms_of_go_and_oracle_are_found() {
        assert_eq!(password("app:hunter2@tcp(db:3306)/shop"), Some("hunter2"));
        assert_eq!(password("jdbc:oracle:thin:app/hunter2@//db:1521/shop"), Some("hunter2"));
    }

    #[test]
    fn signed_urls_are_found() {
        let signature = "aQ7zK2mWb4aQ7zK2mWb4aQ7zK2mWb4aQ7zK2mWb4%3D";
        let url = format!("https://shop.blob.core.windows.net/x?sv=2022-11-02&se=2030&sp=r&sig={signature}");
        assert_eq!(password(&url), Some(signature));
    }

    #[test]
    fn what_another_variable_fills_in_is_none() {
        for text in [
            "postgres://app:$(DB_PASSWORD)@db/shop",
            "postgres://app:${DB_PASSWORD}@db/shop",
            "postgres://app:<password>@db/shop",
            "Host=postgres-primary;Database=aodb;Username=aodb_user;Password=<PASSWORD>",
            "host=db password=$PGPASSWORD",
        ] {
            assert_eq!(password(text), None, "{text}");
        }
    }

    #[test]
    fn what_asks_to_be_replaced_is_found_if_wanted() {
        let text = "postgres://app:changeme@db/shop";
        assert_eq!(password(text), None);
        assert_eq!(super::password(text, Placeholders::Judge), Some("changeme"));
    }

    #[test]
    fn what_has_no_password_is_none() {
        for text in [
            "redis://redis-service:6379/0",
            "https://user@host/path",
            "http://registry:4873/@scope/package",
            "postgres://db/shop?sslmode=require",
            "Server=db;Integrated Security=true",
            "passwordless=true;server=db",
            "password=hunter2",
        ] {
            assert_eq!(password(text), None, "{text}");
        }
    }
}
