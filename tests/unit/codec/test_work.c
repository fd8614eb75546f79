// Goal and method: as test_rows.c.
#include "check.h"

Test(codec_work, ready_comes_back)
{
    COMES_BACK(br_ready, (void)0, {
        SAME_TEXT(name);
        SAME(credit);
        SAME(engine);
        SAME(n_versions);
        SAME_TEXT(versions[0]);
        SAME_TEXT(versions[1]);
    });
    REFUSED(br_ready, "Ready.credit", m.credit = 0);
    REFUSED(br_ready, "Ready.credit", m.credit = BR_MAX_CREDIT + 1);
    REFUSED(br_ready, "Ready.versions[1].version", m.versions[1] = "");
    static const char *many[BR_MAX_VERSIONS + 1];
    for (size_t i = 0; i <= BR_MAX_VERSIONS; i++) {
        many[i] = "a";
    }
    REFUSED(br_ready, "Ready.versions", (m.versions = many, m.n_versions = BR_MAX_VERSIONS + 1));
}

Test(codec_work, a_job_comes_back)
{
    COMES_BACK(br_job, (void)0, {
        SAME_HASH(job_id);
        SAME(attempt);
        SAME(lease_ms);
        SAME_TEXT(body.version);
        SAME(body.as_of);
        SAME(body.bond_codes.n);
        cr_expect_arr_eq(got.body.bond_codes.data, m.body.bond_codes.data, m.body.bond_codes.n);
        SAME_HASH(body.population);
        SAME(body.n_population);
        cr_expect_arr_eq(got.body.scores, m.body.scores, m.body.n_population * sizeof(float));
        cr_expect_arr_eq(got.body.eligible, m.body.eligible, m.body.n_population);
        SAME(body.n_investors);
        SAME(body.n_reasons);
        cr_expect_arr_eq(got.body.investors, m.body.investors, m.body.n_investors * sizeof(uint32_t));
        SAME(body.objective);
        SAME(body.engine);
        SAME(body.certify);
        SAME(body.n_banned);
        cr_expect_arr_eq(got.body.banned, m.body.banned, m.body.n_banned * sizeof(uint32_t));
        SAME(body.n_apart);
        cr_expect_arr_eq(got.body.apart, m.body.apart, 2 * m.body.n_apart * sizeof(uint32_t));
        SAME(body.max_evaluations);
        SAME(body.has_after);
        SAME_HASH(body.after);
        SAME_TEXT(body.issuer);
        SAME(body.past[0].n);
        cr_expect_arr_eq(got.body.past[0].issuers, m.body.past[0].issuers, 3 * sizeof(uint32_t));
        cr_expect_arr_eq(got.body.past[0].bids, m.body.past[0].bids, 3 * sizeof(uint32_t));
        cr_expect_arr_eq(got.body.past[0].days, m.body.past[0].days, 3 * sizeof(uint32_t));
        SAME(body.past[1].n);
        cr_expect_arr_eq(got.warm_start, m.warm_start, 6 * sizeof(uint32_t));
    });
    COMES_BACK(br_job, m.warm_start = NULL, cr_expect_null(got.warm_start));
    COMES_BACK(br_job_body, m.has_after = false, cr_expect_not(got.has_after));
    COMES_BACK(br_job_body, m.past = NULL, cr_expect_null(got.past));
    COMES_BACK(br_job_body, (m.past = NULL, m.issuer = NULL), cr_expect_str_eq(got.issuer, ""));
}

Test(codec_work, a_past_is_as_a_model_can_use_it)
{
    static const uint32_t rising[2] = {4, 5};
    static const uint32_t ones[BR_MAX_PAST_ISSUERS + 1] = {1, 1};
    static const uint32_t twice[2] = {4, 4};
    static const uint32_t beyond[2] = {4, BR_MAX_TABLE_ISSUERS};
    static const uint32_t none[2] = {1, 0};
    static const uint32_t too_old[2] = {(uint32_t)INT32_MAX + 1, 1};
    static br_past past[2];
#define WRONG(where, ...) REFUSED(br_job_body, where, (past[1] = (br_past){__VA_ARGS__}, m.past = past))
    WRONG("JobBody.past[1].issuers", twice, ones, ones, 2);
    WRONG("JobBody.past[1].issuers", beyond, ones, ones, 2);
    WRONG("JobBody.past[1].bids", rising, none, ones, 2);
    WRONG("JobBody.past[1].days", rising, ones, none, 2);
    WRONG("JobBody.past[1].days", rising, ones, too_old, 2);
    WRONG("JobBody.past[1].issuers", ones, ones, ones, BR_MAX_PAST_ISSUERS + 1);
#undef WRONG
    REFUSED(br_job_body, "JobBody.issuer", m.issuer = "a\nb");
    REFUSED(br_job_body, "JobBody.past", m.issuer = "");
}

Test(codec_work, each_wrong_field_of_a_body_is_refused_by_name)
{
    static const uint8_t flags[4] = {0, 1, 2, 1};
    static const float scores[4] = {0.0f, NAN, 0.0f, 0.0f};
    static const uint32_t investors[2] = {0, 4};
    static const uint32_t fields[6] = {0, 0, 0, 0, 0, BR_MAX_FIELDS};
    REFUSED(br_job_body, "JobBody.version", m.version = "");
    REFUSED(br_job_body, "JobBody.as_of", m.as_of = BR_DAY_NONE);
    REFUSED(br_job_body, "JobBody.bond_codes", m.bond_codes.n = 0);
    REFUSED(br_job_body, "JobBody.eligible", m.n_population = 0);
    REFUSED(br_job_body, "JobBody.eligible[2].flag", m.eligible = flags);
    REFUSED(br_job_body, "JobBody.scores[1].logit", m.scores = scores);
    REFUSED(br_job_body, "JobBody.investors", m.investors = investors);
    REFUSED(br_job_body, "JobBody.investors", m.n_investors = 0);
    REFUSED(br_job_body, "JobBody.banned", (m.banned = fields, m.n_banned = 6));
    REFUSED(br_job_body, "JobBody.apart", (m.apart = fields, m.n_apart = 3));
    REFUSED(br_job_body, "JobBody.objective", m.objective = (br_objective)0);
    REFUSED(br_job_body, "JobBody.objective", m.objective = (br_objective)3);
    REFUSED(br_job_body, "JobBody.n_reasons", m.n_reasons = 0);
    REFUSED(br_job_body, "JobBody.n_reasons", m.n_reasons = BR_MAX_REASONS + 1);
}

Test(codec_work, a_heartbeat_names_the_jobs_that_are_held)
{
    COMES_BACK(br_heartbeat, (void)0, {
        SAME(n_jobs);
        SAME_HASH(jobs[0]);
        SAME_HASH(jobs[1]);
    });
    static br_hash jobs[BR_MAX_HELD_JOBS];
    COMES_BACK(br_heartbeat, (m.jobs = jobs, m.n_jobs = BR_MAX_HELD_JOBS), SAME(n_jobs));
    COMES_BACK(br_heartbeat, m.n_jobs = 0, SAME(n_jobs));
}

Test(codec_work, scores_must_fit_the_population)
{
    // The bytes of a right body with one byte of `eligible` (field 12, 4 bytes, last) taken away.
    BR_AUTO(br_arena) *arena = NULL;
    BR_AUTO_DEINIT(br_buf) bytes = {0};
    cr_assert_eq(br_arena_new(&arena, BR_UNPACK_BYTES), BR_OK);
    br_job_body without_rules = *example_br_job_body();
    without_rules.n_banned = without_rules.n_apart = without_rules.max_evaluations = 0;
    without_rules.has_after = false;
    without_rules.issuer = "";
    without_rules.past = NULL;
    cr_assert_eq(br_job_body_pack(&without_rules, &bytes), BR_OK);
    cr_assert_eq(bytes.data[bytes.length - 5], 4);
    bytes.data[bytes.length - 5] = 3;
    br_job_body body;
    br_status status = br_job_body_unpack(&body, arena, bytes.data, bytes.length - 1);
    cr_assert_eq(status, BR_ERR_INVALID);
    cr_expect_str_eq(br_why(status), "JobBody.scores: 16 bytes for 3 investors");
}

Test(codec_work, a_job_with_another_jobs_id_is_refused)
{
    REFUSED(br_job, "Job.job_id", m.job_id.bytes[31] ^= 1);
    REFUSED(br_job, "Job.job_id", m.body.certify = false);
    REFUSED(br_job, "Job.attempt", m.attempt = 0);
    REFUSED(br_job, "Job.lease_ms", m.lease_ms = 0);
    REFUSED(br_job, "Job.lease_ms", m.lease_ms = BR_MAX_LEASE_MS + 1);
}

Test(codec_work, a_warm_start_is_a_whole_set_or_none)
{
    static const uint32_t too_large[6] = {0, 1, BR_MAX_FIELDS, 0, 1, 2};
    static const uint32_t begins_with_none[6] = {0, 1, 2, BR_NO_FIELD, 1, BR_NO_FIELD};
    static const uint32_t ends_with_none[6] = {0, 1, 2, 0, 1, BR_NO_FIELD};
    REFUSED(br_job, "Job.warm_start", m.warm_start = too_large);
    REFUSED(br_job, "Job.warm_start", m.warm_start = begins_with_none);
    REFUSED(br_job, "Job.warm_start", m.warm_start = ends_with_none);
    // The last message of a right job says "six fields"; of five the sets are not whole.
    BR_AUTO(br_arena) *arena = NULL;
    BR_AUTO_DEINIT(br_buf) bytes = {0};
    cr_assert_eq(br_arena_new(&arena, BR_UNPACK_BYTES), BR_OK);
    br_job job = *example_br_job();
    static const uint32_t small[6] = {0, 1, 2, 3, 4, 5};
    job.warm_start = small;
    cr_assert_eq(br_job_pack(&job, &bytes), BR_OK);
    cr_assert_eq(bytes.data[bytes.length - 7], 6);
    bytes.data[bytes.length - 7] = 5;
    cr_expect_eq(br_job_unpack(&job, arena, bytes.data, bytes.length - 1), BR_ERR_INVALID);
    cr_expect_str_eq(br_why(BR_ERR_INVALID), "Job.warm_start: 5 fields for 2 investors with 3 reasons each");
}

Test(codec_work, the_largest_job_fits_its_limit)
{
    static float scores[BR_MAX_POPULATION];
    static uint8_t eligible[BR_MAX_POPULATION];
    static uint32_t investors[BR_MAX_JOB_INVESTORS];
    static uint32_t warm_start[BR_MAX_JOB_INVESTORS * BR_MAX_REASONS];
    static uint32_t apart[2 * BR_MAX_APART];
    static uint32_t issuers[BR_MAX_PAST_ISSUERS];
    static uint32_t numbers[BR_MAX_PAST_ISSUERS]; // two million bids on an issuer, 5,000 years
    static br_past past[BR_MAX_JOB_INVESTORS];
    for (uint32_t i = 0; i < BR_MAX_PAST_ISSUERS; i++) {
        issuers[i] = BR_MAX_TABLE_ISSUERS - BR_MAX_PAST_ISSUERS + i;
        numbers[i] = (1u << 21) - 1;
    }
    for (uint32_t i = 0; i < BR_MAX_JOB_INVESTORS; i++) {
        past[i] = (br_past){issuers, numbers, numbers, BR_MAX_PAST_ISSUERS};
    }
    for (uint32_t i = 0; i < 2 * BR_MAX_APART; i++) {
        apart[i] = BR_MAX_FIELDS - 1;
    }
    for (uint32_t i = 0; i < BR_MAX_JOB_INVESTORS * BR_MAX_REASONS; i++) {
        warm_start[i] = BR_NO_FIELD;
        investors[i / BR_MAX_REASONS] = BR_MAX_POPULATION - 1;
    }
    COMES_BACK(
        br_job,
        {
            m.body.scores = scores;
            m.body.eligible = eligible;
            m.body.n_population = BR_MAX_POPULATION;
            m.body.investors = investors;
            m.body.n_investors = BR_MAX_JOB_INVESTORS;
            m.body.n_reasons = BR_MAX_REASONS;
            m.body.apart = apart;
            m.body.n_apart = BR_MAX_APART;
            m.body.past = past;
            m.warm_start = warm_start;
            cr_assert_eq(br_job_id(&m.job_id, &m.body), BR_OK);
        },
        {
            SAME(body.n_population);
            SAME(body.n_investors);
        });
}

Test(codec_work, a_result_comes_back)
{
    COMES_BACK(br_result, (void)0, {
        SAME_HASH(job_id);
        SAME(n_explanations);
        SAME_TEXT(failure);
        SAME(warm);
        SAME(explanations[0].investor);
        SAME(explanations[0].n_reasons);
        for (uint32_t i = 0; i < 2; i++) {
            SAME(explanations[0].reasons[i].field);
            SAME(explanations[0].reasons[i].code);
            SAME(explanations[0].reasons[i].gain);
            SAME(explanations[0].reasons[i].backing);
            SAME(explanations[0].reasons[i].bids);
        }
        SAME(explanations[0].against.field);
        SAME(explanations[0].against.gain);
        SAME(explanations[1].against.field);
        SAME(explanations[0].logit_selected);
        SAME(explanations[0].logit_all);
        SAME(explanations[0].logit_none);
        SAME(explanations[0].objective);
        SAME(explanations[0].n_matching);
        SAME(explanations[0].mean_probability_matching);
        SAME(explanations[0].certified);
        SAME(explanations[1].certified);
        SAME(explanations[0].evaluations);
        SAME_TEXT(issuer);
        SAME(past[0].n);
        SAME(past[1].n);
        for (uint32_t i = 0; i < 2; i++) {
            SAME_TEXT(past[1].bids[i].issuer);
            SAME(past[1].bids[i].n_bids);
            SAME(past[1].bids[i].last);
            SAME(past[1].bids[i].weight);
        }
    });
    COMES_BACK(br_result, m.past = NULL, cr_expect_null(got.past));
    COMES_BACK(br_result, (m.n_explanations = 0, m.failure = "no such snapshot"), SAME_TEXT(failure));
}

Test(codec_work, past_bids_have_an_issuer_a_day_and_a_share)
{
#define WRONG(where, change) REFUSED(br_result, "Result.past[1]." where, m.past[1].bids[1].change)
    WRONG("bids[1].issuer", issuer = "");
    WRONG("bids[1].bids", n_bids = 0);
    WRONG("bids[1].last", last = BR_DAY_NONE);
    WRONG("bids[1].weight", weight = 1.5f);
    WRONG("bids[1].weight", weight = NAN);
#undef WRONG
    REFUSED(br_result, "Result.past", m.issuer = "");
}

Test(codec_work, each_wrong_field_of_a_result_is_refused_by_name)
{
    REFUSED(br_result, "Result.failure", m.n_explanations = 0);
    REFUSED(br_result, "Result.failure", m.failure = "and yet");
#define WRONG(field, change) REFUSED(br_result, "Result.explanations[1]." field, m.explanations[1].change)
    WRONG("investor", investor = BR_MAX_POPULATION);
    WRONG("reasons", n_reasons = 0);
    WRONG("reasons[0].field", reasons[0].field = BR_MAX_FIELDS);
    WRONG("reasons[0].gain", reasons[0].gain = NAN);
    WRONG("reasons[0].backing", reasons[0].backing = INFINITY);
    WRONG("against[0].gain", against = ((br_reason){.gain = NAN}));
    WRONG("logit_selected", logit_selected = NAN);
    WRONG("logit_all", logit_all = -INFINITY);
    WRONG("logit_none", logit_none = NAN);
    WRONG("objective_value", objective = (double)NAN);
    WRONG("n_matching", n_matching = BR_MAX_POPULATION + 1);
    WRONG("mean_probability_matching", mean_probability_matching = 1.0000001);
    WRONG("mean_probability_matching", mean_probability_matching = -0.5);
    WRONG("mean_probability_matching", mean_probability_matching = (double)NAN);
#undef WRONG
}

Test(codec_work, the_largest_result_fits_its_limit)
{
    static br_explanation explanations[BR_MAX_JOB_INVESTORS];
    static br_past_bid bids[BR_MAX_PAST_BIDS];
    static br_past_bids past[BR_MAX_JOB_INVESTORS];
    for (size_t i = 0; i < BR_MAX_JOB_INVESTORS; i++) {
        explanations[i] = example_br_result()->explanations[0];
        explanations[i].n_reasons = BR_MAX_REASONS;
        for (size_t k = 0; k < BR_MAX_REASONS; k++) {
            explanations[i].reasons[k] = (br_reason){BR_MAX_FIELDS - 1, 255, 1.5f, 2.5f, UINT32_MAX};
        }
        past[i] = (br_past_bids){bids, BR_MAX_PAST_BIDS};
    }
    for (size_t k = 0; k < BR_MAX_PAST_BIDS; k++) {
        bids[k] = example_br_result()->past[1].bids[0];
        bids[k].weight = 0.125f;
    }
    COMES_BACK(br_result, (m.explanations = explanations, m.past = past, m.n_explanations = BR_MAX_JOB_INVESTORS),
               SAME(n_explanations));
    br_result result = *example_br_result();
    result.n_explanations = BR_MAX_JOB_INVESTORS + 1;
    BR_AUTO_DEINIT(br_buf) bytes = {0};
    cr_expect_eq(br_result_pack(&result, &bytes), BR_ERR_LIMIT);
}

Test(codec_work, small_messages_come_back)
{
    COMES_BACK(br_result_ack, (void)0, SAME_HASH(job_id));
    COMES_BACK(br_population_get, (void)0, {
        SAME_HASH(hash);
        SAME(offset);
    });
    REFUSED(br_population_get, "PopulationGet.offset", m.offset = BR_MAX_POPULATION_BYTES + 1);
    COMES_BACK(br_population_part, (void)0, {
        SAME_HASH(info.hash);
        SAME(info.n);
        SAME(info.n_investor_fields);
        SAME(offset);
    });
    REFUSED(br_population_part, "Population.n", m.info.n = BR_MAX_POPULATION + 1);
    REFUSED(br_population_part, "Population.n", m.info.n_investor_fields = 269);
    REFUSED(br_population_part, "Population.n_investor_fields", m.info.n_investor_fields = BR_MAX_FIELDS + 1);
    REFUSED(br_population_part, "Population.offset", m.offset = BR_MAX_POPULATION * 268 + 1);
}

Test(codec_work, a_short_hash_is_refused)
{
    static const uint8_t bytes[] = {0x0A, 0x02, 1, 2};
    BR_AUTO(br_arena) *arena = NULL;
    cr_assert_eq(br_arena_new(&arena, BR_UNPACK_BYTES), BR_OK);
    br_result_ack ack;
    br_status status = br_result_ack_unpack(&ack, arena, bytes, sizeof bytes);
    cr_assert_eq(status, BR_ERR_INVALID);
    cr_expect_str_eq(br_why(status), "ResultAck.job_id: 2 bytes, a hash has 32");
}
