//! Look-alikes that must stay readable.

use std::borrow::Cow;

use redact::Scanner;

use crate::noise::{alnum, base64, hex, upper, uuid};

const PLAIN: &[&str] = &[
    // ids and digests
    "0190b2a4-7c1e-7d3a-9f00-8a1b2c3d4e5f",
    "run_01JDX3Z8Q2V5N7K9M4P6R8T0WB",
    "appr_01JDX3Z8Q2V5N7K9M4P6R8T0WB",
    "egr_9f86d081884c7d659a2feaa0c55ad015",
    "room_01JDX3Z8Q2V5N7K9M4P6R8T0WB/step_01JDX3Z8Q2V5N7K9M4P6R8T0WC",
    "01ARZ3NDEKTSV4RRFFQ69G5FAV",
    "commit 3f94125d9c0b6a1e2f4d5c6b7a8990817263544f",
    "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "key: 9f86d081884c7d659a2feaa0c55ad015",
    "cache_key = \"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b\"",
    "etag: \"33a64df551425fcc55e4d42a148795d9f25f89d4\"",
    "integrity=\"sha384-oqVuAfXRKap7fdgcCY5uykM6+R9GqQ8K/uxy9rx7HNQlGYl1kPzQho1wx4JwY8wC\"",
    "\"secret_hash\": \"sha512-9f86d081884c7d659a2feaa0c55ad015\"",
    "token_id: 0190b2a4-7c1e-7d3a-9f00-8a1b2c3d4e5f",
    "token: 0190b2a4-7c1e-7d3a-9f00-8a1b2c3d4e5f",
    "key = 01JDX3Z8Q2V5N7K9M4P6R8T0WB",
    "\"capability_token_id\": \"0190b2a4-7c1e-7d3a-9f00-8a1b2c3d4e5f\"",
    "idempotency-key: run_01JDX3Z8Q2V5N7K9M4P6R8T0WB/step_01JDX3Z8Q2V5N7K9M4P6R8T0WC/1",
    "idempotency_key=Zk3vQ9tLm2Xc7RbN4pWs",
    "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "xmlns key-12345 sk-12",
    // prose
    "The bearer of this letter may pass.",
    "a basic understanding of tokens and secrets",
    "bearer token authentication is required",
    "basic auth, basic plan and basic HTML",
    "The key: everything else follows from it.",
    "Keep the secret: nobody must know about the surprise party.",
    "password: must be at least sixteen characters long",
    "Her password is the thing she never writes down.",
    "token = something, key = something else",
    "The Secretary-General: internationalization efforts",
    "keyword: responsibility, tokenizer: sentencepiece",
    "monkey = chimpanzee2024banana99x",
    "turkey: Q8zK3vN5mR7tXw2LpB4cY6d",
    "risk-assessment-framework-2024 task-queue-worker-v2",
    "Please rotate the client secret before Friday.",
    "authorization: the user must be an administrator",
    "Authorization: required",
    "cookie: a small cake",
    "This recipe needs cookies, not cookie=dough.",
    "the ghp_ prefix marks GitHub tokens",
    "keys begin with sk-ant- or sk-proj- these days",
    "AKIA is how access key ids begin",
    // code
    "let token = lexer.next_token();",
    "const key = getKeyFromStore(request2.id);",
    "password = os.environ[\"DB_PASSWORD_2024\"]",
    "token = config.auth.token_provider.primary",
    "secret = self.settings.secret_manager.read(name)",
    "token: TokenStream2ForParsing",
    "if key == previous_key_in_sequence { return }",
    "fn key(&self) -> &'static str;",
    "public_key = \"Zk3vQ9tLm2Xc7RbN4pWsD8yF\"",
    "primary_key: Zk3vQ9tLm2Xc7RbN4pWsD8yF",
    "nextPageToken: \"Zk3vQ9tLm2Xc7RbN4pWsD8yF\"",
    "partitionKey='Zk3vQ9tLm2Xc7RbN4pWsD8yF'",
    "keyId = \"Zk3vQ9tLm2Xc7RbN4pWsD8yF\"",
    "token_count: 128000, max_tokens: 4096",
    "TOKEN_TYPE=urn:ietf:params:oauth:token-type:access_token",
    "secret_name: prod/database/main-2024-rotation",
    "key_path = /home/me/.ssh/id_ed25519_2024",
    "SECRET_FILE=/run/secrets/database_v2/current",
    "token_url: https://auth.example.org/oauth2/v2.0/token",
    "secret: arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbC123",
    "password_hint=\"Zk3vQ9tLm2Xc7RbN4pWsD8yF\"",
    "tokenizer = AutoTokenizer.from_pretrained(\"m7b-v0.3\")",
    "keyboard: us-intl-with-dead-keys-105",
    "sort_keys=True, keys=[1, 2, 3], tokens=12",
    "class Key<K2, V2> where K2: Ord64Extension",
    "onkeydown={handleKeyDownEvent}",
    "api_version: 2024-10-21-preview",
    "version_key: 1.22.333-beta.4+build.5678",
    // placeholders
    "password=${DB_PASSWORD}",
    "token: <your-token-goes-here>",
    "api_key=\"YOUR_API_KEY_GOES_HERE_123\"",
    "secret = {{ vault.path.to.secret }}",
    "token: xxxxxxxxxxxxxxxxxxxxxxxx",
    "password: ****************",
    "api_key = \"example-key-1234567890ab\"",
    "?token=$TOKEN&password=<password>",
    "\"password\": \"${PASSWORD}\"",
    "postgres://app:${DB_PASSWORD}@db/app",
    "https://user:<password>@example.org/",
    "token = \"changeme1234567890abc\"",
    "secret: [redacted]",
    "AKIAIOSFODNN7EXAMPLE",
    "--token=$(cat token.txt)",
    "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----",
    "a file that starts with -----BEGIN RSA PRIVATE KEY----- is a key",
    "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A\n-----END PUBLIC KEY-----",
    // URLs
    "https://example.org/reset-token/confirm?step=2",
    "https://example.org/secrets/list?max_tokens=100&token_type=jwt",
    "https://example.org:8443/a@b/c:d",
    "http://[2001:db8::1]:8080/path",
    "https://example.org/api-keys/01JDX3Z8Q2V5N7K9M4P6R8T0WB",
    "git@github.com:owner/repository.git",
    "ssh://git@example.org:22/owner/repo",
    "https://discord.com/channels/123456789012345678/987654321098765432",
    "https://hooks.slack.com/ explains webhooks",
    "https://example.org/?sig=short&page_token=abc",
    "/usr/lib/python3.12/site-packages/keyring/backends",
    "C:\\Users\\me\\keys\\backup-2024.txt",
    // numbers and the like
    "2026-01-02T03:04:05.678Z",
    "4111 1111 1111 1111",
    "192.168.100.200:8080",
    "1.2.3-rc.4+build.20240101",
    "[redacted]",
    "",
    " ",
    "ключ: значение, пароль: секрет",
    "密码：一二三四五六七八九十",
];

#[test]
fn leaves_look_alikes_alone() {
    assert!(PLAIN.len() >= 80, "{}", PLAIN.len());
    let found = |text: &&&str| !Scanner::standard().findings(text).is_empty();
    let wrong: Vec<_> = PLAIN.iter().filter(found).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    for text in PLAIN {
        assert!(matches!(Scanner::standard().text(text), Cow::Borrowed(same) if same == *text));
    }
}

#[test]
fn leaves_made_up_look_alikes_alone() {
    let texts = [
        format!("data:image/png;base64,iVBORw0KGgo{}", base64(4000)),
        format!("<img src=\"data:image/gif;base64,{}\">", base64(900)),
        format!("MIIC{}", base64(300)),
        format!("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{} me@host", base64(43)),
        format!("{}  file-{}.txt", hex(64), hex(32)),
        format!("blob {} tree {}", hex(40), hex(40)),
        format!("x-request-id: {}", uuid()),
        format!("page_token={}&next={}", alnum(40), alnum(40)),
        format!("sku {} lot {}", upper(12), upper(20)),
        format!("sk-{}", "fading-circle-loader-primary-button"),
        format!("hf_{}", "transformers_model_name_from_config"),
        format!("npm_config_{}", "registry_and_cache_directory_path"),
        format!("exk_{} is only the id", "ab12"),
        format!("cap1.{} is only the id", "ab12"),
        format!("AKIA{}", upper(17)),
        format!("event_hash sha256:{}", hex(64)),
        format!("heroku app {}", uuid()),
        format!("datadog trace {}", hex(32)),
        format!("asset {}-user.css", hex(32)),
    ];
    for text in texts {
        let found = Scanner::standard().findings(&text);
        assert!(found.is_empty(), "{text:?}: {found:?}");
    }
}

/// The look-alikes would be found if they were what they look like.
#[test]
fn positive_controls_of_the_look_alikes() {
    let value = alnum(24);
    for text in [
        format!("private_key = \"{value}\""),
        format!("secretKey='{value}'"),
        format!("accessToken: \"{value}\""),
        format!("password = \"{value}\""),
        format!("postgres://app:{value}@db/app"),
        format!("api_key=\"{value}\""),
        format!("AKIA{}", upper(16)),
        format!("heroku api key: {}", uuid()),
        format!("datadog api key: {}", hex(32)),
    ] {
        assert!(!Scanner::standard().findings(&text).is_empty(), "{text:?}");
    }
}
