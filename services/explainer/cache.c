#include "explainer.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"

#include <string.h>

const br_served *explainer_find_snapshot(const explainer *self, const char *version)
{
    for (size_t i = 0; i < EXPLAINER_SNAPSHOTS; i++) {
        if (self->served[i] != NULL && strcmp(self->served[i]->version, version) == 0) {
            return self->served[i];
        }
    }
    return NULL;
}

void explainer_keep_snapshot(explainer *self, br_served **served)
{
    br_served_free(&self->served[EXPLAINER_SNAPSHOTS - 1]);
    memmove(self->served + 1, self->served, (EXPLAINER_SNAPSHOTS - 1) * sizeof self->served[0]);
    self->served[0] = *served;
    *served = NULL;
    br_log_info("EXPLAIN-SNAPSHOT-LOADED", "model=%s table_bytes=%zu", self->served[0]->version,
                br_collapsed_bytes(self->served[0]->collapsed));
}

const held_population *explainer_find_population(explainer *self, const br_hash *hash)
{
    for (size_t i = 0; i < EXPLAINER_POPULATIONS; i++) {
        held_population *held = &self->populations[i];
        if (held->codes != NULL && br_hash_equal(&held->hash, hash)) {
            held->used = ++self->uses;
            return held;
        }
    }
    return NULL;
}

bool explainer_wants(const explainer *self, const br_hash *population)
{
    uint32_t n_wanted = 0;
    for (uint32_t i = 0; i < self->n_jobs; i++) {
        bool repeated = false;
        for (uint32_t k = 0; k < i && !repeated; k++) {
            repeated = br_hash_equal(&self->jobs[k].population, &self->jobs[i].population);
        }
        if (!repeated && n_wanted++ == EXPLAINER_POPULATIONS) {
            return false;
        }
        if (br_hash_equal(&self->jobs[i].population, population)) {
            return true;
        }
    }
    return false;
}

// One that is wanted goes only when all are, the one under work never.
static held_population *place_to_keep(explainer *self)
{
    held_population *best = NULL;
    bool best_wanted = false;
    for (size_t i = 0; i < EXPLAINER_POPULATIONS; i++) {
        held_population *held = &self->populations[i];
        if (held == self->current.population) {
            continue;
        }
        bool wanted = held->codes != NULL && explainer_wants(self, &held->hash);
        if (best == NULL || wanted < best_wanted || (wanted == best_wanted && held->used < best->used)) {
            best = held;
            best_wanted = wanted;
        }
    }
    return best;
}

// --- fetching ---

static void begin_fetch(fetched_population *fetched, const br_hash *hash)
{
    br_free(fetched->codes);
    *fetched = (fetched_population){.info.hash = *hash};
}

fetched_population *explainer_fetch(explainer *self)
{
    fetched_population *fetched = &self->fetched;
    for (uint32_t i = 0; i < self->n_jobs; i++) {
        const br_hash *hash = &self->jobs[i].population;
        if (fetched->codes != NULL && explainer_wants(self, &fetched->info.hash)) {
            hash = &fetched->info.hash;
        }
        if (!explainer_wants(self, hash) || explainer_find_population(self, hash) != NULL) {
            continue;
        }
        if (!br_hash_equal(hash, &fetched->info.hash)) {
            begin_fetch(fetched, hash);
        }
        return fetched;
    }
    return NULL;
}

static br_status keep_fetched(explainer *self)
{
    fetched_population *fetched = &self->fetched;
    br_hash hash = br_hash_of(fetched->codes, fetched->n_received);
    if (!br_hash_equal(&hash, &fetched->info.hash)) {
        hash = fetched->info.hash;
        begin_fetch(fetched, &hash);
        fetched->asked_ms = br_clock_ms(); // not at once
        return br_fail(BR_ERR_CORRUPT, "a population block does not match its hash");
    }
    held_population *place = place_to_keep(self);
    br_free(place->codes);
    *place = (held_population){.hash = hash, .codes = fetched->codes, .info = fetched->info, .used = ++self->uses};
    *fetched = (fetched_population){.codes = NULL};
    return BR_OK;
}

br_status explainer_take_part(explainer *self, const br_population_part *part, const uint8_t *bytes, size_t n)
{
    fetched_population *fetched = &self->fetched;
    size_t n_all = (size_t)part->info.n * part->info.n_investor_fields;
    bool first = fetched->codes == NULL;
    bool same =
        br_hash_equal(&part->info.hash, &fetched->info.hash) &&
        (first || (part->info.n == fetched->info.n && part->info.n_investor_fields == fetched->info.n_investor_fields));
    if (!same || part->offset != fetched->n_received || n == 0 || n > n_all - part->offset) {
        return BR_OK; // an answer that is not waited for
    }
    if (first) {
        fetched->codes = br_calloc(n_all, 1);
        if (fetched->codes == NULL) {
            return br_no_memory("population bytes", n_all);
        }
        fetched->info = part->info;
    }
    memcpy(fetched->codes + part->offset, bytes, n);
    fetched->n_received += n;
    fetched->asked_ms = 0;
    return fetched->n_received == n_all ? keep_fetched(self) : BR_OK;
}

void explainer_forget_all(explainer *self)
{
    for (size_t i = 0; i < EXPLAINER_SNAPSHOTS; i++) {
        br_served_free(&self->served[i]);
    }
    for (size_t i = 0; i < EXPLAINER_POPULATIONS; i++) {
        br_free(self->populations[i].codes);
    }
    br_free(self->fetched.codes);
    for (uint32_t i = 0; i < self->n_jobs; i++) {
        br_free(self->jobs[i].bytes);
    }
    self->n_jobs = 0;
}
