use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

#[test]
fn numbers_follow_the_standard() {
    // The number samples of RFC 8785, appendix B: the bits of a double and its text.
    for (bits, want) in [
        (0x0000_0000_0000_0000_u64, "0"),
        (0x8000_0000_0000_0000, "0"),
        (0x0000_0000_0000_0001, "5e-324"),
        (0x8000_0000_0000_0001, "-5e-324"),
        (0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308"),
        (0xffef_ffff_ffff_ffff, "-1.7976931348623157e+308"),
        (0x4340_0000_0000_0000, "9007199254740992"),
        (0xc340_0000_0000_0000, "-9007199254740992"),
        (0x4430_0000_0000_0000, "295147905179352830000"),
        (0x44b5_2d02_c7e1_4af5, "9.999999999999997e+22"),
        (0x44b5_2d02_c7e1_4af6, "1e+23"),
        (0x44b5_2d02_c7e1_4af7, "1.0000000000000001e+23"),
        (0x444b_1ae4_d6e2_ef4e, "999999999999999700000"),
        (0x444b_1ae4_d6e2_ef4f, "999999999999999900000"),
        (0x444b_1ae4_d6e2_ef50, "1e+21"),
        (0x3eb0_c6f7_a0b5_ed8c, "9.999999999999997e-7"),
        (0x3eb0_c6f7_a0b5_ed8d, "0.000001"),
        (0x41b3_de43_5555_5553, "333333333.3333332"),
        (0x41b3_de43_5555_5554, "333333333.33333325"),
        (0x41b3_de43_5555_5555, "333333333.3333333"),
        (0x41b3_de43_5555_5556, "333333333.3333334"),
        (0x41b3_de43_5555_5557, "333333333.33333343"),
        (0xbecb_f647_612f_3696, "-0.0000033333333333333333"),
        (0x4314_3ff3_c1cb_0959, "1424953923781206.2"),
    ] {
        let number = f64::from_bits(bits);
        assert_eq!(Canonical::from(&json!(number)).as_str(), want, "{bits:016x}");
        assert_eq!(want.parse::<f64>().map(|read| read == number), Ok(true), "{want}");
    }
}

#[test]
fn integers_are_written_as_doubles() {
    let check = |value: Value, want: &str| assert_eq!(Canonical::from(&value).as_str(), want);
    check(json!(1), "1");
    check(json!(1.0), "1");
    check(json!(-0.0), "0");
    check(json!(9_007_199_254_740_994_u64), "9007199254740994");
    check(json!(18_446_744_073_709_549_568_u64), "18446744073709550000");
    check(json!(i64::MIN), "-9223372036854776000");
}

#[test]
fn numbers_that_are_not_finite_have_no_form() {
    for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert!(Canonical::of(&number).is_err(), "{number}");
    }
    assert!(Canonical::of(&1.5_f64).is_ok());
}

#[test]
fn keys_are_ordered_by_their_utf_16_units() {
    let value = json!({"\u{20ac}": 1, "\r": 2, "\u{fb33}": 3, "1": 4, "\u{1f600}": 5, "\u{80}": 6, "\u{f6}": 7});
    let want = "{\"\\r\":2,\"1\":4,\"\u{80}\":6,\"\u{f6}\":7,\"\u{20ac}\":1,\"\u{1f600}\":5,\"\u{fb33}\":3}";
    assert_eq!(Canonical::from(&value).as_str(), want);
}

#[test]
fn strings_escape_only_what_they_must() {
    let value = json!("\u{0}\u{8}\t\n\u{b}\u{c}\r\u{1f}\"\\/\u{7f}\u{2028}é😀");
    let want = "\"\\u0000\\b\\t\\n\\u000b\\f\\r\\u001f\\\"\\\\/\u{7f}\u{2028}é😀\"";
    assert_eq!(Canonical::from(&value).as_str(), want);
}

#[test]
fn nothing_is_left_between_the_tokens() {
    let value: Value = serde_json::from_str(" { \"b\" : [ 1 , true , null ] , \"a\" : { } } ").unwrap();
    assert_eq!(Canonical::from(&value).as_str(), r#"{"a":{},"b":[1,true,null]}"#);
    assert_eq!(Canonical::empty().to_value(), json!({}));
}

proptest! {
    #[test]
    fn a_form_is_stable(number in any::<f64>(), integer in any::<i64>(), text in any::<String>()) {
        let form = Canonical::from(&json!({"n": number, "i": integer, text.as_str(): [text.as_str()]}));
        let again = Canonical::from(&form.to_value());
        prop_assert_eq!(&again, &form);
        let strict = crate::json::parse_strict(form.as_str().as_bytes());
        prop_assert!(strict.is_ok() || text.contains('\0') || integer.unsigned_abs() > 1 << 53);
    }
}
