// Goal and method: as test_rows.c.
#include "check.h"

Test(codec_control, a_hint_comes_back)
{
    COMES_BACK(br_hint, (void)0, {
        SAME(kind);
        SAME(number);
        SAME_TEXT(version);
    });
    COMES_BACK(br_hint, m.version = NULL, cr_expect_str_empty(got.version));
    REFUSED(br_hint, "Hint.kind", m.kind = (br_hint_kind)0);
    REFUSED(br_hint, "Hint.kind", m.kind = (br_hint_kind)5);
    REFUSED(br_hint, "Hint.version", m.version = "../../etc/passwd");
    REFUSED(br_hint, "Hint.version", m.version = long_text(33));
}

Test(codec_control, requests_to_the_trainer_come_back)
{
    COMES_BACK(br_train_request, (void)0, {
        SAME(mode);
        SAME(before_day);
        SAME(seed);
        SAME(max_epochs);
        SAME(force);
    });
    REFUSED(br_train_request, "TrainRequest.mode", m.mode = (br_train_mode)0);
    REFUSED(br_train_request, "TrainRequest.mode", m.mode = (br_train_mode)5);
    REFUSED(br_train_request, "TrainRequest.before_day", m.before_day = BR_DAY_NONE);
    COMES_BACK(br_train_request, (m.mode = BR_TRAIN_STATIC, m.before_day = BR_DAY_NONE), SAME(before_day));
    COMES_BACK(br_train_request, (m.mode = BR_TRAIN_WARM, m.before_day = BR_DAY_NONE), SAME(mode));
    COMES_BACK(br_rollback_request, (void)0, SAME_TEXT(version));
    COMES_BACK(br_rollback_request, m.version = "", SAME_TEXT(version));
    REFUSED(br_rollback_request, "RollbackRequest.version", m.version = "A/B");
}

Test(codec_control, requests_by_scope_come_back)
{
    COMES_BACK(br_rank_request, (void)0, {
        SAME(scope);
        SAME(n_bond_ids);
        SAME_TEXT(bond_ids[0]);
        SAME_TEXT(bond_ids[1]);
        SAME(explain);
    });
    COMES_BACK(br_rank_request, (m.scope = BR_SCOPE_UPCOMING, m.n_bond_ids = 0), SAME(scope));
    COMES_BACK(br_rank_request, (m.scope = BR_SCOPE_TEST_RANGE, m.n_bond_ids = 0), SAME(scope));
    COMES_BACK(br_evaluate_request, (void)0, {
        SAME(scope);
        SAME_TEXT(bond_ids[0]);
    });
    COMES_BACK(br_evaluate_request, (m.scope = BR_SCOPE_CLOSED, m.n_bond_ids = 0), SAME(scope));
    COMES_BACK(br_evaluate_request, (m.scope = BR_SCOPE_TEST_RANGE, m.n_bond_ids = 0), SAME(scope));
}

Test(codec_control, a_scope_that_does_not_fit_is_refused)
{
    REFUSED(br_rank_request, "RankRequest.scope", m.scope = (br_scope)0);
    REFUSED(br_rank_request, "RankRequest.scope", m.scope = BR_SCOPE_CLOSED);
    REFUSED(br_rank_request, "RankRequest.bond_ids", m.n_bond_ids = 0);
    REFUSED(br_rank_request, "RankRequest.bond_ids", m.scope = BR_SCOPE_UPCOMING);
    REFUSED(br_rank_request, "RankRequest.bond_ids[1].id", m.bond_ids[1] = "");
    REFUSED(br_evaluate_request, "EvaluateRequest.scope", (m.scope = BR_SCOPE_UPCOMING, m.n_bond_ids = 0));
    REFUSED(br_evaluate_request, "EvaluateRequest.bond_ids", m.scope = BR_SCOPE_CLOSED);
    REFUSED(br_evaluate_request, "EvaluateRequest.bond_ids[0].id", m.bond_ids[0] = "\x7F");
}

Test(codec_control, answers_come_back)
{
    COMES_BACK(br_progress, (void)0, {
        SAME_TEXT(stage);
        SAME(done);
        SAME(total);
        SAME(rate);
        SAME_TEXT(text);
    });
    COMES_BACK(br_report, (void)0, {
        SAME(ok);
        SAME_TEXT(reason);
        SAME(n_figures);
        SAME_TEXT(figures[0].name);
        SAME(figures[0].number);
        SAME_TEXT(figures[1].text);
    });
    COMES_BACK(br_report, m.ok = true, SAME(ok));
    REFUSED(br_report, "Report.figures[1].name", m.figures[1].name = "");
}

Test(codec_control, a_figure_without_a_value_says_so)
{
    COMES_BACK(br_report, m.figures[0].number = (double)NAN, {
        cr_expect_eq(got.figures[0].number, 0.0);
        cr_expect_str_eq(got.figures[0].text, "-");
    });
    COMES_BACK(br_progress, m.rate = (double)INFINITY, cr_expect_eq(got.rate, 0.0));
}

Test(codec_control, one_dead_job_or_all_are_asked_for)
{
    COMES_BACK(br_retry_request, (void)0, {
        SAME(all);
        SAME_HASH(job_id);
    });
    COMES_BACK(br_retry_request, m.all = true, SAME(all));
}

Test(codec_control, a_rate_that_is_no_number_is_refused)
{
    // Progress { rate = NaN }: our own pack never writes it.
    static const uint8_t bytes[] = {0x21, 0, 0, 0, 0, 0, 0, 0xF8, 0x7F};
    BR_AUTO(br_arena) *arena = NULL;
    cr_assert_eq(br_arena_new(&arena, BR_UNPACK_BYTES), BR_OK);
    br_progress progress;
    br_status status = br_progress_unpack(&progress, arena, bytes, sizeof bytes);
    cr_assert_eq(status, BR_ERR_INVALID);
    cr_expect_str_eq(br_why(status), "Progress.rate: not a finite number");
}

Test(codec_control, too_many_figures_or_bonds_are_not_packed)
{
    static br_figure figures[BR_MAX_FIGURES + 1];
    br_report report = {true, "", figures, BR_MAX_FIGURES + 1};
    BR_AUTO_DEINIT(br_buf) bytes = {0};
    cr_expect_eq(br_report_pack(&report, &bytes), BR_ERR_LIMIT);
    static const char *ids[BR_MAX_BOND_IDS + 1];
    for (size_t i = 0; i <= BR_MAX_BOND_IDS; i++) {
        ids[i] = "B";
    }
    REFUSED(br_rank_request, "RankRequest.bond_ids", (m.bond_ids = ids, m.n_bond_ids = BR_MAX_BOND_IDS + 1));
    COMES_BACK(br_rank_request, (m.bond_ids = ids, m.n_bond_ids = BR_MAX_BOND_IDS), SAME(n_bond_ids));
}
