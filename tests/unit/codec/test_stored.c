// Goal and method: as test_rows.c; and for the manifest: no number that decides how much is allocated is believed.
#include "check.h"

Test(codec_stored, a_list_comes_back)
{
    COMES_BACK(br_list, (void)0, {
        SAME_TEXT(bond_id);
        SAME(as_of);
        SAME_TEXT(version);
        SAME(ledger_head);
        SAME(n_entries);
        for (uint32_t i = 0; i < 2; i++) {
            SAME_TEXT(entries[i].investor_id);
            SAME(entries[i].investor);
            SAME(entries[i].logit);
            SAME(entries[i].probability);
        }
        SAME(has_job);
        SAME_HASH(job_id);
        SAME(n_eligible);
        SAME_HASH(population);
        SAME(backtest);
    });
    COMES_BACK(br_list, m.has_job = false, SAME(has_job));
}

Test(codec_stored, each_wrong_field_of_a_list_is_refused_by_name)
{
    REFUSED(br_list, "RecommendationList.bond_id", m.bond_id = "");
    REFUSED(br_list, "RecommendationList.as_of", m.as_of = BR_DAY_NONE);
    REFUSED(br_list, "RecommendationList.version", m.version = "a b");
    REFUSED(br_list, "RecommendationList.entries[1].investor_id", m.entries[1].investor_id = "");
    REFUSED(br_list, "RecommendationList.entries[1].investor", m.entries[1].investor = BR_MAX_POPULATION);
    REFUSED(br_list, "RecommendationList.entries[1].logit", m.entries[1].logit = NAN);
    REFUSED(br_list, "RecommendationList.entries[1].probability", m.entries[1].probability = (double)NAN);
    REFUSED(br_list, "RecommendationList.entries[1].probability", m.entries[1].probability = 1.5);
}

Test(codec_stored, the_other_values_come_back)
{
    COMES_BACK(br_dead_job, (void)0, {
        SAME_HASH(job_id);
        SAME_TEXT(reason);
        SAME(attempts);
    });
    COMES_BACK(br_snapshot_event, (void)0, {
        SAME(kind);
        SAME_TEXT(version);
        SAME_TEXT(reason);
        SAME(wall_s);
        SAME_TEXT(parent);
    });
    COMES_BACK(br_snapshot_event, m.parent = NULL, cr_expect_str_eq(got.parent, ""));
    REFUSED(br_snapshot_event, "SnapshotEvent.parent", m.parent = "a b");
    COMES_BACK(br_snapshot_event, (m.kind = BR_SNAPSHOT_REFUSED, m.version = ""), SAME_TEXT(version));
    REFUSED(br_snapshot_event, "SnapshotEvent.kind", m.kind = (br_snapshot_event_kind)0);
    REFUSED(br_snapshot_event, "SnapshotEvent.kind", m.kind = (br_snapshot_event_kind)4);
    REFUSED(br_snapshot_event, "SnapshotEvent.version", m.version = "");
    REFUSED(br_snapshot_event, "SnapshotEvent.wall_s", m.wall_s = (double)NAN);
}

Test(codec_stored, quality_comes_back)
{
    COMES_BACK(br_bond_quality, (void)0, {
        SAME_TEXT(bond_id);
        SAME(issue_day);
        SAME(as_of);
        SAME_TEXT(version);
        SAME(n_listed);
        SAME(hits);
        SAME(bidders);
        SAME(bidders_outside);
        SAME(provisional);
        SAME(unranked);
        SAME(hits_activity);
        SAME(n_top);
    });
    COMES_BACK(br_bond_quality, (m.unranked = true, m.as_of = BR_DAY_NONE, m.version = ""), SAME(as_of));
    REFUSED(br_bond_quality, "BondQuality.bond_id", m.bond_id = "");
    REFUSED(br_bond_quality, "BondQuality.issue_day", m.issue_day = BR_DAY_NONE);
    REFUSED(br_bond_quality, "BondQuality.as_of", m.as_of = BR_DAY_NONE);
    REFUSED(br_bond_quality, "BondQuality.version", m.version = "");
    REFUSED(br_bond_quality, "BondQuality.n_listed", (m.n_listed = BR_MAX_JOB_INVESTORS + 1));
    REFUSED(br_bond_quality, "BondQuality.hits", m.hits = 51);
    REFUSED(br_bond_quality, "BondQuality.hits", m.n_top = 49);
    REFUSED(br_bond_quality, "BondQuality.hits_activity", m.hits_activity = 61);
    REFUSED(br_bond_quality, "BondQuality.n_top", (m.hits = 0, m.hits_activity = 0, m.n_top = 0));
}

Test(codec_stored, calibration_comes_back)
{
    COMES_BACK(br_calibration_bins, (void)0, {
        SAME_TEXT(version);
        SAME(n_bins);
        for (uint32_t i = 0; i < 2; i++) {
            SAME(bins[i].low);
            SAME(bins[i].high);
            SAME(bins[i].n);
            SAME(bins[i].mean_probability);
            SAME(bins[i].rate);
        }
    });
    REFUSED(br_calibration_bins, "CalibrationBins.version", m.version = "");
    REFUSED(br_calibration_bins, "CalibrationBins.bins[1].low", m.bins[1].low = -0.1);
    REFUSED(br_calibration_bins, "CalibrationBins.bins[1].high", m.bins[1].high = 1.1);
    REFUSED(br_calibration_bins, "CalibrationBins.bins[1].n", m.bins[1].n = 0);
    REFUSED(br_calibration_bins, "CalibrationBins.bins[1].mean_probability", m.bins[1].mean_probability = (double)NAN);
    REFUSED(br_calibration_bins, "CalibrationBins.bins[1].rate", m.bins[1].rate = 2.0);
}

Test(codec_stored, drift_comes_back)
{
    COMES_BACK(br_drift, (void)0, {
        SAME_TEXT(version);
        SAME(from);
        SAME(until);
        SAME(n_bonds);
        SAME(n_fields);
        SAME(scores);
        for (uint32_t i = 0; i < 2; i++) {
            SAME_TEXT(fields[i].field);
            SAME(fields[i].psi);
            SAME(fields[i].by_chance);
        }
    });
    REFUSED(br_drift, "Drift.version", m.version = "");
    REFUSED(br_drift, "Drift.from", m.from = BR_DAY_NONE);
    REFUSED(br_drift, "Drift.until", m.until = BR_DAY_NONE);
    REFUSED(br_drift, "Drift.scores", m.scores = (double)INFINITY);
    REFUSED(br_drift, "Drift.fields[1].field", m.fields[1].field = "a\nb");
    REFUSED(br_drift, "Drift.fields[1].psi", m.fields[1].psi = (double)NAN);
    REFUSED(br_drift, "Drift.fields[1].by_chance", m.fields[1].by_chance = (double)NAN);
}

Test(codec_stored, a_reject_comes_back_whatever_its_texts_are)
{
    COMES_BACK(br_reject, (void)0, {
        SAME(wall_s);
        SAME_TEXT(source);
        SAME(kind);
        SAME_TEXT(id);
        SAME_TEXT(column);
        SAME_TEXT(reason);
    });
    COMES_BACK(br_reject, m.id = "a\nb\xff", cr_expect_str_eq(got.id, "a b?"));
    COMES_BACK(br_reject, m.source = NULL, cr_expect_str_eq(got.source, ""));
    REFUSED(br_reject, "Reject.wall_s", m.wall_s = (double)NAN);
    REFUSED(br_reject, "Reject.kind", m.kind = (br_row_kind)0);
    REFUSED(br_reject, "Reject.kind", m.kind = BR_ROW_KIND_END);
}

// --- the manifest ---

static br_status unpack_changed(br_snapshot **out, const br_snapshot *snapshot, uint32_t n_chunks)
{
    BR_AUTO_DEINIT(br_buf) bytes = {0};
    br_hash chunks[EXAMPLE_CHUNKS + 1];
    cr_assert_eq(br_manifest_pack(snapshot, example_chunks, EXAMPLE_CHUNKS, &example_issuers, &bytes), BR_OK);
    return br_manifest_unpack(out, chunks, n_chunks, &(br_hash){{0}}, bytes.data, bytes.length);
}

static void expect_field(const br_field *got, const br_field *want)
{
    cr_expect_str_eq(got->name, want->name);
    cr_expect_eq(got->group, want->group);
    cr_expect_eq(got->kind, want->kind);
    cr_expect_eq(got->source, want->source);
    cr_assert_eq(got->n_values, want->n_values);
    for (uint32_t i = 0; i < want->n_values; i++) {
        cr_expect_str_eq(got->value_names[i], want->value_names[i]);
    }
    cr_assert_eq(got->n_others, want->n_others);
    for (uint32_t i = 0; i < want->n_others; i++) {
        cr_expect_str_eq(got->others[i], want->others[i]);
    }
    cr_assert_eq(got->n_cuts, want->n_cuts);
    for (uint32_t i = 0; i < want->n_cuts; i++) {
        cr_expect_eq(got->cuts[i], want->cuts[i]);
    }
    cr_expect_eq(got->label.en == NULL, want->label.en == NULL);
    if (want->label.en != NULL) {
        cr_expect_str_eq(got->label.en, want->label.en);
        cr_expect_str_eq(got->label.zh, want->label.zh);
    }
    cr_expect_eq(got->feature, want->feature);
    cr_expect_eq(got->window_days, want->window_days);
    cr_expect_eq(got->activity, want->activity);
    cr_expect_eq(got->bond_field, want->bond_field);
    cr_expect_eq(got->bond_code, want->bond_code);
}

Test(codec_stored, a_manifest_comes_back_with_all_its_shapes)
{
    const br_snapshot *want = example_snapshot();
    BR_AUTO(br_snapshot) *got = NULL;
    BR_AUTO_DEINIT(br_buf) bytes = {0};
    br_hash chunks[EXAMPLE_CHUNKS];
    br_hash issuers;
    cr_assert_eq(br_manifest_pack(want, example_chunks, EXAMPLE_CHUNKS, &example_issuers, &bytes), BR_OK);
    br_status status = br_manifest_unpack(&got, chunks, EXAMPLE_CHUNKS, &issuers, bytes.data, bytes.length);
    cr_assert_eq(status, BR_OK, "%s", br_why(status));
    cr_expect_arr_eq(chunks, example_chunks, sizeof chunks);
    cr_expect_arr_eq(&issuers, &example_issuers, sizeof issuers);
    cr_assert_eq(got->encoder->n_fields, 4);
    cr_expect_eq(got->encoder->n_bond_fields, 2);
    for (uint32_t j = 0; j < 4; j++) {
        expect_field(&got->encoder->fields[j], &want->encoder->fields[j]);
    }
    cr_expect_arr_eq(&got->model->config, &want->model->config, sizeof got->model->config);
    cr_expect_eq(got->model->n_parameters, want->model->n_parameters);
    cr_expect_eq(got->model->parameters[got->model->n_parameters - 1], 0.0f);
    cr_expect_eq(got->calibration.slope, 0.5);
    cr_expect_eq(got->calibration.offset, -1.5);
    cr_assert_eq(got->calibration.line.n_knots, 2);
    cr_expect_eq(got->calibration.line.logits[1], 1.0);
    cr_expect_eq(got->calibration.line.values[0], -5.5);
    cr_expect_eq(got->held[got->model->n_parameters - 1], 0.0f);
    cr_expect_str_eq(got->facts.parent, want->facts.parent);
    cr_expect_arr_eq(got->record->speaks_of, want->record->speaks_of, 2 * sizeof(uint32_t));
    cr_expect_arr_eq(got->record->offset, want->record->offset, 3 * sizeof(size_t));
    cr_expect_eq(got->record->dev[17], 0.0f);
    cr_expect_eq(got->record->bids[17], 0);
    cr_expect_eq(got->mean_bond[3], 0.0f);
    cr_expect_eq(got->facts.split.train_until, 100);
    cr_expect_eq(got->facts.split.test_until, BR_DAY_NONE);
    cr_expect_eq(got->facts.ledger_head, UINT64_MAX);
    cr_expect_eq(got->facts.seed, 7);
    cr_expect(got->facts.unmasked);
    cr_expect_eq(got->facts.n_samples, 1000);
    cr_expect_eq(got->facts.epochs, 9);
    cr_expect_eq(got->facts.valid_log_loss, 0.0625);
    cr_expect_eq(got->facts.valid_auc, 0.75);
    cr_expect_eq(got->facts.valid_recall_at_50, 0.5);
    cr_expect_str_eq(got->facts.blas, want->facts.blas);
    cr_expect_str_eq(got->facts.engine, want->facts.engine);
}

// --- the issuers' table ---

static br_status again_changed(const br_issuer_table *changed)
{
    BR_AUTO_DEINIT(br_buf) bytes = {0};
    BR_AUTO(br_issuer_table) *got = NULL;
    cr_assert_eq(br_issuer_table_pack(changed, &bytes), BR_OK);
    br_status status = br_issuer_table_unpack(&got, bytes.data, bytes.length);
    cr_expect((got != NULL) == (status == BR_OK));
    return status;
}

Test(codec_stored, a_table_of_issuers_is_numbers_that_can_be_used)
{
    float factors[4] = {1.0f, -2.0f, 0.5f, 0.0f};
    br_issuer_table table = {.n_factors = 2, .regularization = 0.1, .confidence = 2.0, .factors = factors};
    cr_assert_eq(br_index_new(&table.ids), BR_OK);
    cr_expect_eq(again_changed(&table), BR_ERR_INVALID, "without issuers");
    cr_assert_eq(br_index_add(table.ids, "A", 1, &(uint32_t){0}, NULL), BR_OK);
    cr_assert_eq(br_index_add(table.ids, "B", 1, &(uint32_t){0}, NULL), BR_OK);
    cr_expect_eq(again_changed(&table), BR_OK);
    factors[3] = NAN;
    cr_expect_eq(again_changed(&table), BR_ERR_INVALID);
    cr_expect_str_eq(br_why(BR_ERR_INVALID), "IssuerTable.factors: not a finite number");
    factors[3] = 0.0f;
    table.confidence = 0.0;
    cr_expect_eq(again_changed(&table), BR_ERR_INVALID);
    cr_expect_str_eq(br_why(BR_ERR_INVALID), "IssuerTable.confidence: 0 is out of range");
    br_index_free(&table.ids);
    // Two ids "A", two factors of one number each.
    static const uint8_t twice[] = {0x0A, 1, 'A', 0x0A, 1, 'A', 0x10, 1,    0x19, 0, 0, 0, 0, 0, 0, 0xF0, 0x3F, 0x21,
                                    0,    0, 0,   0,    0, 0,   0xF0, 0x3F, 0x2A, 8, 0, 0, 0, 0, 0, 0,    0,    0};
    BR_AUTO(br_issuer_table) *got = NULL;
    cr_expect_eq(br_issuer_table_unpack(&got, twice, sizeof twice), BR_ERR_INVALID);
    cr_expect_str_eq(br_why(BR_ERR_INVALID), "IssuerTable.ids[1].id: is there twice");
}

#define MANIFEST_REFUSED(where, change)                                                                                \
    do {                                                                                                               \
        br_snapshot *m = example_snapshot();                                                                           \
        change;                                                                                                        \
        BR_AUTO(br_snapshot) *got = NULL;                                                                              \
        size_t live = br_alloc_live();                                                                                 \
        br_status status = unpack_changed(&got, m, EXAMPLE_CHUNKS);                                                    \
        cr_expect_eq(status, BR_ERR_INVALID, where);                                                                   \
        cr_expect(strncmp(br_why(status), where, strlen(where)) == 0, "%s, not %s", br_why(status), where);            \
        cr_expect(got == NULL && br_alloc_live() == live, "%s: something is left", where);                             \
    } while (0)

Test(codec_stored, a_hostile_encoder_is_refused_by_name)
{
    MANIFEST_REFUSED("Manifest.encoder.fields", m->encoder->n_fields = 0);
    MANIFEST_REFUSED("Manifest.encoder.n_bond_fields", m->encoder->n_bond_fields = 5);
    MANIFEST_REFUSED("Manifest.fields[3].group", m->encoder->fields[3].group = BR_GROUP_COUNT);
    MANIFEST_REFUSED("Manifest.fields[3].kind", m->encoder->fields[3].kind = BR_KIND_COUNT);
    MANIFEST_REFUSED("Manifest.fields[3].source", m->encoder->fields[3].source = BR_SOURCE_COUNT);
    MANIFEST_REFUSED("Manifest.fields[3].activity", m->encoder->fields[3].activity = (br_activity)9);
    MANIFEST_REFUSED("Manifest.fields[3].value_names", m->encoder->fields[3].n_values = 0);
    MANIFEST_REFUSED("Manifest.fields[1].cuts", m->encoder->fields[1].cuts[1] = (double)NAN);
    MANIFEST_REFUSED("Manifest.fields[1].cuts", m->encoder->fields[1].cuts[0] = 3.0);
    MANIFEST_REFUSED("Manifest.fields[3].window_days", m->encoder->fields[3].window_days = -2);
    MANIFEST_REFUSED("Manifest.fields[3].feature", m->encoder->fields[3].feature = BR_MAX_FEATURES);
    MANIFEST_REFUSED("Manifest.fields[3].bond_field", m->encoder->fields[3].bond_field = 2);
    MANIFEST_REFUSED("Manifest.fields[3].bond_code", m->encoder->fields[3].bond_code = 3);
    MANIFEST_REFUSED("Manifest.fields[0].name", m->encoder->fields[0].name[0] = '\x01');
}

Test(codec_stored, a_hostile_shape_is_refused_before_it_is_allocated)
{
    MANIFEST_REFUSED("Manifest.model.n_parameters", m->model->n_parameters++);
    MANIFEST_REFUSED("Manifest.model.hidden", m->model->config.n_hidden = 0);
    MANIFEST_REFUSED("model: d", m->model->config.d = 65);
    MANIFEST_REFUSED("Manifest.model.n_parameters", m->model->config.rank = 0);
    MANIFEST_REFUSED("model: n_cross", m->model->config.n_cross = UINT32_MAX);
    MANIFEST_REFUSED("model: rank", m->model->config.rank = UINT32_MAX);
    MANIFEST_REFUSED("model: width", m->model->config.hidden[0] = UINT32_MAX);
    MANIFEST_REFUSED("Manifest.record.speaks_of", m->record->speaks_of[0] = 2);
    MANIFEST_REFUSED("Manifest.record.n_values", m->record->n_values[1] = UINT32_MAX);
    MANIFEST_REFUSED("Manifest.record.bond_values", m->record->bond_values[0] = 4);
    MANIFEST_REFUSED("Manifest.record.speaks_of", m->record->n_investor_fields = 1);
    MANIFEST_REFUSED("Manifest.record.bond_values", m->record->n_bond_fields = 1);
}

Test(codec_stored, a_calibration_that_does_not_rise_is_refused)
{
    MANIFEST_REFUSED("Manifest.calibration_logits", m->calibration.line.logits[1] = -4.0);
    MANIFEST_REFUSED("Manifest.calibration_logits", m->calibration.line.values[1] = -6.0);
    MANIFEST_REFUSED("Manifest.parent", m->facts.parent[0] = ' ');
}

Test(codec_stored, a_model_of_too_many_parameters_is_refused)
{
    static br_field fields[BR_MAX_FIELDS];
    br_snapshot *m = example_snapshot();
    for (size_t j = 0; j < BR_MAX_FIELDS; j++) {
        fields[j] = m->encoder->fields[2];
    }
    m->encoder->fields = fields;
    m->encoder->n_fields = BR_MAX_FIELDS;
    m->model->config = (br_model_config){.d = 64, .n_cross = 8, .rank = 256, .n_hidden = 1, .hidden = {1024}};
    BR_AUTO(br_snapshot) *got = NULL;
    br_status status = unpack_changed(&got, m, EXAMPLE_CHUNKS);
    cr_assert_eq(status, BR_ERR_INVALID);
    cr_expect(strstr(br_why(status), "is not between 1 and 67108864") != NULL, "%s", br_why(status));
}

Test(codec_stored, another_number_of_chunks_is_refused)
{
    BR_AUTO(br_snapshot) *got = NULL;
    cr_expect_eq(unpack_changed(&got, example_snapshot(), EXAMPLE_CHUNKS - 1), BR_ERR_INVALID);
    cr_expect_eq(unpack_changed(&got, example_snapshot(), EXAMPLE_CHUNKS + 1), BR_ERR_INVALID);
}

Test(codec_stored, figures_that_are_no_numbers_are_not_packed)
{
    BR_AUTO_DEINIT(br_buf) bytes = {0};
    br_snapshot *m = example_snapshot();
    m->calibration.slope = (double)NAN;
    br_status status = br_manifest_pack(m, example_chunks, EXAMPLE_CHUNKS, &example_issuers, &bytes);
    cr_expect_eq(status, BR_ERR_INVALID);
    cr_expect_str_eq(br_why(status), "Manifest.calibration_slope: not a finite number");
    m->calibration.slope = 0.5;
    m->calibration.line.values[1] = (double)INFINITY;
    cr_expect_eq(br_manifest_pack(m, example_chunks, EXAMPLE_CHUNKS, &example_issuers, &bytes), BR_ERR_INVALID);
}

Test(codec_stored, another_format_is_a_version_error)
{
    BR_AUTO_DEINIT(br_buf) bytes = {0};
    cr_assert_eq(br_manifest_pack(example_snapshot(), example_chunks, EXAMPLE_CHUNKS, &example_issuers, &bytes), BR_OK);
    cr_assert_eq(bytes.data[0], 0x08); // field 1: format
    bytes.data[1] = 99;
    BR_AUTO(br_snapshot) *got = NULL;
    br_hash chunks[EXAMPLE_CHUNKS];
    br_hash issuers;
    cr_expect_eq(br_manifest_unpack(&got, chunks, EXAMPLE_CHUNKS, &issuers, bytes.data, bytes.length), BR_ERR_VERSION);
}
