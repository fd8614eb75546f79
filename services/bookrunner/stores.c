#include "stores.h"

#include <stdio.h>
#include <sys/stat.h>

typedef br_status (*store_opener)(stores *s, const char *path);

static br_status open_ledger(stores *s, const char *path)
{
    return br_ledger_open_reader(&s->ledger, path);
}

static br_status open_recommendations(stores *s, const char *path)
{
    return br_recommendations_open_reader(&s->recommendations, path);
}

static br_status open_quality(stores *s, const char *path)
{
    return br_quality_open_reader(&s->quality, path);
}

static br_status open_snapshots(stores *s, const char *path)
{
    return br_snapshots_open_reader(&s->snapshots, path);
}

static br_status open_wanted(stores *s, unsigned wanted, bool missing_is_fine)
{
    static const struct {
        store_choice choice;
        const char *place;
        store_opener open;
    } kinds[] = {
        {STORE_LEDGER, "ledger", open_ledger},
        {STORE_RECOMMENDATIONS, "recommendations", open_recommendations},
        {STORE_QUALITY, "metrics", open_quality},
        {STORE_SNAPSHOTS, "models", open_snapshots},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if ((wanted & kinds[i].choice) == 0) {
            continue;
        }
        char path[2 * BR_PATH_BYTES]; // not br_place_path(): looking makes no directories
        snprintf(path, sizeof path, "%s/%s", s->directory, kinds[i].place);
        struct stat info;
        br_status status = stat(path, &info) == 0
                               ? kinds[i].open(s, path)
                               : br_fail(BR_ERR_NOT_FOUND, "%s does not exist; is `bookrunner up` running?", path);
        if (status != BR_OK && !(missing_is_fine && status == BR_ERR_NOT_FOUND)) {
            return status;
        }
    }
    return BR_OK;
}

static br_status begin(stores *out, const arguments *args)
{
    *out = (stores){.ledger = NULL};
    br_status status = cli_directory(out->directory, args);
    if (status != BR_OK) {
        return status;
    }
    int n = snprintf(out->models, sizeof out->models, "%s/models", out->directory);
    return n < BR_PATH_BYTES ? BR_OK : br_fail(BR_ERR_LIMIT, "path of %.60s.../models is too long", out->directory);
}

br_status stores_open(stores *out, const arguments *args, unsigned wanted)
{
    br_status status = begin(out, args);
    return status == BR_OK ? open_wanted(out, wanted, false) : status;
}

br_status stores_open_existing(stores *out, const arguments *args)
{
    br_status status = begin(out, args);
    return status == BR_OK
               ? open_wanted(out, STORE_LEDGER | STORE_RECOMMENDATIONS | STORE_QUALITY | STORE_SNAPSHOTS, true)
               : status;
}

void stores_deinit(stores *s)
{
    br_ledger_free(&s->ledger);
    br_recommendations_free(&s->recommendations);
    br_quality_free(&s->quality);
    br_snapshots_free(&s->snapshots);
}
