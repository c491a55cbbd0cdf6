//! Which names and filters are allowed, and which filter matches which name? Section 4.7 of the standard.

/// Why a topic name or filter is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopicError {
    /// The bytes are not UTF-8, or hold U+0000 [MQTT-1.5.4-1] [MQTT-1.5.4-2].
    NotText,
    /// No character at all [MQTT-4.7.3-1].
    Empty,
    /// A wildcard in a topic name [MQTT-3.3.2-2], or not alone in its level of a filter [MQTT-4.7.1-2].
    Wildcard,
    /// A `$share` filter without a share name, with a wildcard in it, or without a filter [MQTT-4.8.2-1].
    Share,
}

/// Checks a topic name: text without wildcards. An empty one passes, since a topic alias may stand for it; the caller
/// judges that.
///
/// # Errors
/// What is wrong with it.
#[inline]
pub fn check_name(name: &[u8]) -> Result<&str, TopicError> {
    let text = check_text(name)?;
    if name.iter().any(|&byte| byte == b'+' || byte == b'#') {
        return Err(TopicError::Wildcard);
    }
    Ok(text)
}

/// Checks text as MQTT wants it: UTF-8 without U+0000.
///
/// # Errors
/// [`TopicError::NotText`].
#[inline]
pub fn check_text(bytes: &[u8]) -> Result<&str, TopicError> {
    let text = std::str::from_utf8(bytes).map_err(|_| TopicError::NotText)?; // [MQTT-1.5.4-1]
    if bytes.contains(&0) {
        return Err(TopicError::NotText); // [MQTT-1.5.4-2]
    }
    Ok(text)
}

/// Checks a topic filter without regard to `$share`.
///
/// # Errors
/// What is wrong with it.
pub fn check_filter(filter: &str) -> Result<(), TopicError> {
    if filter.is_empty() {
        return Err(TopicError::Empty); // [MQTT-4.7.3-1]
    }
    if filter.contains('\0') {
        return Err(TopicError::NotText);
    }
    let mut levels = filter.split('/').peekable();
    while let Some(level) = levels.next() {
        let wild = level.contains(['+', '#']);
        if wild && level.len() != 1 || level == "#" && levels.peek().is_some() {
            return Err(TopicError::Wildcard); // [MQTT-4.7.1-1] [MQTT-4.7.1-2]
        }
    }
    Ok(())
}

/// A subscription's filter, taken apart: `$share/NAME/FILTER` of MQTT 5.0, section 4.8.2, or a plain one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shared<'a> {
    /// The share name, `None` for a plain subscription.
    pub group: Option<&'a str>,
    /// The filter that topics are matched against.
    pub filter: &'a str,
}

/// Takes a filter apart. In 3.x `$share` has no meaning of its own in the standard, but brokers agree to treat it alike.
///
/// # Errors
/// [`TopicError::Share`] or what is wrong with the filter itself.
pub fn split_shared(filter: &str) -> Result<Shared<'_>, TopicError> {
    let Some(rest) = filter.strip_prefix("$share/") else {
        check_filter(filter)?;
        return Ok(Shared { group: None, filter });
    };
    let (group, inner) = rest.split_once('/').ok_or(TopicError::Share)?; // [MQTT-4.8.2-2]
    if group.is_empty() || group.contains(['+', '#']) || inner.is_empty() {
        return Err(TopicError::Share); // [MQTT-4.8.2-1] [MQTT-4.8.2-2]
    }
    check_filter(inner)?;
    Ok(Shared { group: Some(group), filter: inner })
}

/// Whether a plain, valid filter matches a topic name.
#[must_use]
pub fn matches(filter: &str, name: &str) -> bool {
    if name.starts_with('$') && filter.starts_with(['+', '#']) {
        return false; // [MQTT-4.7.2-1]
    }
    let mut levels = name.split('/');
    let mut wanted = filter.split('/');
    loop {
        match (wanted.next(), levels.next()) {
            (Some("#"), _) | (None, None) => return true, // `a/#` matches `a` itself: then `levels` has ended
            (Some("+"), Some(_)) => {}
            (Some(want), Some(level)) if want == level => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_match_as_the_standard_says() {
        for (filter, name, want) in [
            ("a/b", "a/b", true),
            ("a/#", "a", true),
            ("a/#", "a/b/c", true),
            ("#", "a", true),
            ("#", "/a", true),
            ("+/+", "/finance", true),
            ("/+", "/finance", true),
            ("+", "/finance", false),
            ("a/+", "a", false),
            ("a/+", "a/", true),
            ("#", "$SYS/x", false),
            ("+/x", "$SYS/x", false),
            ("$SYS/#", "$SYS/x", true),
            ("é/#", "é/x", true),
            ("#", "é/x", true),
            ("a", "A", false),
            ("a//b", "a//b", true),
            ("a/+/b", "a//b", true),
        ] {
            assert_eq!(matches(filter, name), want, "{filter} against {name}");
        }
    }

    #[test]
    fn wrong_filters_are_refused() {
        for filter in ["", "a/#/b", "a+", "a#", "#/a", "a/b+/c", "a\0b"] {
            assert!(check_filter(filter).is_err(), "{filter:?}");
        }
        for filter in ["$share/g", "$share//a", "$share/g+/a", "$share/g/", "$share/g/a/#/b"] {
            assert!(split_shared(filter).is_err(), "{filter:?}");
        }
    }

    #[test]
    fn a_shared_filter_is_taken_apart() {
        assert_eq!(split_shared("$share/g/a/#"), Ok(Shared { group: Some("g"), filter: "a/#" }));
        assert_eq!(split_shared("$shared/g"), Ok(Shared { group: None, filter: "$shared/g" }));
    }
}
