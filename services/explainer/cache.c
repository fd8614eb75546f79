#include "explainer.h"

#include "base/alloc.h"
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

br_status explainer_keep_population(explainer *self, const br_population_info *info, const uint8_t *codes, size_t n)
{
    br_hash hash = br_hash_of(codes, n);
    if (n != (size_t)info->n * info->n_investor_fields || !br_hash_equal(&hash, &info->hash)) {
        return br_fail(BR_ERR_CORRUPT, "a population block of %zu bytes does not match its hash", n);
    }
    if (explainer_find_population(self, &hash) != NULL) {
        return BR_OK; // the answer to a question asked twice
    }
    held_population *place = place_to_keep(self);
    uint8_t *copy = br_memdup(codes, n);
    if (copy == NULL) {
        return br_no_memory("population bytes", n);
    }
    br_free(place->codes);
    *place = (held_population){.hash = hash, .codes = copy, .info = *info, .used = ++self->uses};
    return BR_OK;
}

void explainer_forget_all(explainer *self)
{
    for (size_t i = 0; i < EXPLAINER_SNAPSHOTS; i++) {
        br_served_free(&self->served[i]);
    }
    for (size_t i = 0; i < EXPLAINER_POPULATIONS; i++) {
        br_free(self->populations[i].codes);
    }
    for (uint32_t i = 0; i < self->n_jobs; i++) {
        br_free(self->jobs[i].bytes);
    }
    self->n_jobs = 0;
}
