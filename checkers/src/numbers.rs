//! Numbers of JSON that are equal, made the same.

use serde_json::Value as Json;

/// Makes numbers that are equal the same: integers, where they are whole. JSON has one kind of number, and
/// some languages write 1 as 1.0.
pub fn make_numbers_exact(value: &mut Json) {
    match value {
        Json::Number(_) => {
            if let Some(whole) = whole(value) {
                *value = whole;
            }
        }
        Json::Array(items) => items.iter_mut().for_each(make_numbers_exact),
        Json::Object(fields) => fields.values_mut().for_each(make_numbers_exact),
        _ => {}
    }
}

/// True of what [`make_numbers_exact`] changes.
pub(crate) fn has_whole_floats(value: &Json) -> bool {
    match value {
        Json::Number(_) => whole(value).is_some(),
        Json::Array(items) => items.iter().any(has_whole_floats),
        Json::Object(fields) => fields.values().any(has_whole_floats),
        _ => false,
    }
}

/// The integer that a number with a fraction or an exponent equals.
fn whole(value: &Json) -> Option<Json> {
    let Json::Number(number) = value else {
        return None;
    };
    if !number.is_f64() {
        return None;
    }
    let float = number.as_f64().filter(|float| float.fract() == 0.0)?;
    let digits = format!("{float:.0}");
    let signed = digits.parse::<i64>().map(Json::from);
    signed
        .or_else(|_| digits.parse::<u64>().map(Json::from))
        .ok()
}
