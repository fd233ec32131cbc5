//! Model providers and data platforms.

use crate::class::{ALNUM, LOWER_HEX, URL_SAFE, WORD};
use crate::rule::Part::{Lit, Run};
use crate::rule::Place::{Around, Near};
use crate::rule::{Rule, at_least, exactly};

pub(super) const RULES: &[Rule] = &[
    Rule::prefix("openai-key", &["sk-proj-", "sk-svcacct-", "sk-admin-", "sk-None-"], &[at_least(URL_SAFE, 20)])
        .mixed(),
    // Also the many services that copied the prefix.
    Rule::prefix("sk-key", &["sk-"], &[at_least(ALNUM, 24)]).mixed(),
    Rule::prefix("anthropic-key", &["sk-ant-"], &[at_least(URL_SAFE, 20)]).mixed(),
    Rule::prefix("openrouter-key", &["sk-or-v1-"], &[exactly(LOWER_HEX, 64)]),
    Rule::prefix("langfuse-key", &["sk-lf-"], &[at_least(URL_SAFE, 30)]),
    Rule::new("openai-legacy-key", &["T3BlbkFJ"], Around(URL_SAFE, 20..180, &[at_least(URL_SAFE, 20)])),
    Rule::prefix("hugging-face-token", &["hf_", "api_org_"], &[exactly(ALNUM, 34)]),
    Rule::prefix("replicate-token", &["r8_"], &[exactly(ALNUM, 37)]),
    Rule::prefix("groq-key", &["gsk_"], &[exactly(ALNUM, 52)]),
    Rule::prefix("perplexity-key", &["pplx-"], &[exactly(ALNUM, 48)]),
    Rule::prefix("xai-key", &["xai-"], &[at_least(ALNUM, 70)]),
    Rule::prefix("nvidia-key", &["nvapi-"], &[at_least(URL_SAFE, 60)]),
    Rule::prefix(
        "langsmith-key",
        &["lsv2_pt_", "lsv2_sk_"],
        &[exactly(LOWER_HEX, 32), Lit("_"), exactly(LOWER_HEX, 10)],
    ),
    Rule::prefix("pinecone-key", &["pcsk_"], &[at_least(WORD, 40)]),
    Rule::prefix("tavily-key", &["tvly-"], &[at_least(URL_SAFE, 24)]).mixed(),
    Rule::prefix("elevenlabs-key", &["sk_"], &[exactly(LOWER_HEX, 48)]),
    Rule::prefix("jina-key", &["jina_"], &[at_least(URL_SAFE, 50)]),
    Rule::prefix("weights-and-biases-key", &["wandb_v1_"], &[at_least(WORD, 40)]),
    Rule::new("weights-and-biases-legacy-key", &["wandb"], Near(&[exactly(LOWER_HEX, 40)])),
    Rule::new("cohere-key", &["cohere"], Near(&[exactly(ALNUM, 40)])).mixed(),
    Rule::prefix("databricks-token", &["dapi", "dose", "dkea"], &[exactly(LOWER_HEX, 32), Run(URL_SAFE, 0, 2)]),
];
