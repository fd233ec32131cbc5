//! Chat, mail and telephony.

use crate::class::{ALNUM, DIGIT, HEX, LOWER_HEX, URL_SAFE, URL_SAFE_DOT};
use crate::rule::Part::{Lit, Run};
use crate::rule::Place::{Anywhere, Around, Near};
use crate::rule::{Rule, at_least, exactly};

pub(super) const RULES: &[Rule] = &[
    Rule::prefix(
        "slack-token",
        &["xoxb-", "xoxp-", "xoxa-", "xoxr-", "xoxs-", "xoxo-", "xoxc-", "xoxd-", "xoxe-", "xoxe."],
        &[at_least(URL_SAFE.and(".%"), 20)],
    )
    .mixed(),
    Rule::prefix("slack-app-token", &["xapp-"], &[at_least(URL_SAFE, 30)]).mixed(),
    Rule::new(
        "slack-webhook",
        &["hooks.slack.com/services/", "hooks.slack.com/workflows/", "hooks.slack.com/triggers/"],
        Anywhere(&[Run(ALNUM, 8, 16), Lit("/"), Run(ALNUM, 8, 20), Lit("/"), at_least(ALNUM.and("/"), 16)]),
    ),
    Rule::new(
        "discord-webhook",
        &["discord.com/api/webhooks/", "discordapp.com/api/webhooks/"],
        Anywhere(&[Run(DIGIT, 16, 22), Lit("/"), at_least(URL_SAFE, 40)]),
    ),
    Rule::new(
        "discord-bot-token",
        &["discord"],
        Near(&[Run(ALNUM, 23, 28), Lit("."), Run(URL_SAFE, 6, 7), Lit("."), Run(URL_SAFE, 27, 40)]),
    ),
    Rule::new("teams-webhook", &[".webhook.office.com/webhookb2/"], Anywhere(&[at_least(URL_SAFE.and("@/"), 60)])),
    Rule::new("telegram-bot-token", &[":AA"], Around(DIGIT, 8..11, &[exactly(URL_SAFE, 33)])),
    Rule::prefix("twilio-api-key", &["SK"], &[exactly(LOWER_HEX, 32)]),
    Rule::new("twilio-auth-token", &["twilio"], Near(&[exactly(LOWER_HEX, 32)])),
    Rule::prefix("sendgrid-key", &["SG."], &[Run(URL_SAFE, 16, 32), Lit("."), Run(URL_SAFE, 32, 64)]),
    Rule::new("mailgun-key", &["mailgun"], Near(&[Lit("key-"), exactly(LOWER_HEX, 32)])),
    Rule::new(
        "mailgun-signing-key",
        &["mailgun"],
        Near(&[exactly(LOWER_HEX, 32), Lit("-"), exactly(LOWER_HEX, 8), Lit("-"), exactly(LOWER_HEX, 8)]),
    ),
    Rule::new("mailchimp-key", &["-us"], Around(HEX, 32..33, &[Run(DIGIT, 1, 2)])),
    Rule::prefix("brevo-key", &["xkeysib-", "xsmtpsib-"], &[exactly(LOWER_HEX, 64), Lit("-"), exactly(ALNUM, 16)]),
    Rule::prefix("resend-key", &["re_"], &[exactly(ALNUM, 8), Lit("_"), exactly(ALNUM, 24)]).mixed(),
    Rule::prefix("zoho-token", &["1000."], &[exactly(LOWER_HEX, 32), Lit("."), exactly(LOWER_HEX, 32)]),
    Rule::prefix("facebook-token", &["EAA"], &[at_least(ALNUM, 80)]).mixed(),
    Rule::prefix("instagram-token", &["IGQV", "IGAA"], &[at_least(URL_SAFE, 80)]).mixed(),
    Rule::prefix("twitter-bearer", &["AAAAAAAAAAAAAAAAAAAAA"], &[at_least(ALNUM.and("%"), 60)]).mixed(),
    Rule::prefix("intercom-token", &["dG9rO"], &[at_least(URL_SAFE_DOT.and("="), 50)]).mixed(),
];
