#ifndef BR_PIPELINE_PAST_H
#define BR_PIPELINE_PAST_H

/// "Because they bid on X": which of an investor's past bids speak for a bond. Users are investors, items are issuers; what an iALS (itembased/ials.h)
/// says of the bond's issuer is a sum over the issuers that the investor bid on before.
///
///     br_pasts_new(&pasts, market, as_of, NULL)               // the trainer: all investors
///     br_issuer_table_learn(&table, pasts, market, &options)
///     br_past_of_job(&body, arena, market, served, bond)      // the ranker
///     br_past_explain(&result, arena, served, &body)          // an explainer, from the job alone
///
/// Pure: the same market, day and snapshot give the same bytes.

#include "codec/work.h"
#include "itembased/ials.h"
#include "market/market.h"
#include "pipeline/served.h"

/// An investor's bids on the bonds of one issuer.
typedef struct br_past_issuer {
    uint32_t issuer; ///< number in the market
    uint32_t n_bids;
    br_day last; ///< day of the newest
} br_past_issuer;

typedef struct br_pasts br_pasts;

/// Everybody's bids as of a day, or of those with only[investor] != 0 ([n_investors]; NULL: everybody). Choice: a bid is past once it is known and its bond was issued before the day, as for features (market/encoder.h), so
/// that nobody is recommended for a bond because he bids on it.
/// Time: linear in bids. Memory: 12 bytes for each investor and issuer, 24 bytes a bid while it is made. Errors: BR_ERR_NO_MEMORY.
br_status br_pasts_new(br_pasts **out, const br_market *market, br_day as_of, const uint8_t *only) BR_MUST_CHECK;
void br_pasts_free(br_pasts **pasts);
/// The investor's issuers by rising number; borrowed. Returns how many; none for one who came later.
uint32_t br_pasts_of(const br_pasts *pasts, uint32_t investor, const br_past_issuer **out);

/// Learn the table of issuers from everybody's past; a weight is a number of bids. *out = NULL where fewer than two issuers have bids.
/// Choice: the first BR_MAX_TABLE_ISSUERS that have bids, in order of arrival. Errors: those of br_ials_train().
br_status br_issuer_table_learn(br_issuer_table **out, const br_pasts *pasts, const br_market *market,
                                const br_ials_options *options) BR_MUST_CHECK;

/// Put the past of the job's investors into its body, as of its day: the bond's own issuer, and of those in the snapshot's table the newest
/// (ties: the lower number), BR_MAX_PAST_ISSUERS in all.
/// Time: linear in all bids, of which those of other investors are only passed over. Errors: BR_ERR_NO_MEMORY, BR_ERR_LIMIT (arena).
br_status br_past_of_job(br_job_body *body, br_arena *arena, const br_market *market, const br_served *served,
                         uint32_t bond) BR_MUST_CHECK;

/// The past bids that speak for the job's bond, into result->issuer and result->past: first those on its own issuer, which need no model, then at most
/// BR_MAX_PAST_BIDS in all with a positive weight, the largest first (ties: the lower number). Answer path.
///
/// Choice: a weight is the share of the sum of all positive parts, so that it is in (0, 1] and the shares of one investor make at most 1; of the
/// score itself, which also has negative parts, a share could be anything. Without a table, or where it does not know the bond's issuer, only bids on
/// the bond's own issuer are given, and their weight is 0.
/// Source: Hu, Koren, Volinsky 2008, section 5.
/// Errors: BR_ERR_INVALID (an issuer that the table does not have, or the bond's own by its number), BR_ERR_NO_MEMORY, BR_ERR_LIMIT (arena).
br_status br_past_explain(br_result *result, br_arena *arena, const br_served *served,
                          const br_job_body *body) BR_MUST_CHECK;

#endif
