#ifndef BOOKRUNNER_SIMULATING_H
#define BOOKRUNNER_SIMULATING_H

/// Writing a simulated market folder: what `simulate` and `run` share.
///
///   FOLDER/schema.yaml, bonds.csv, investors.csv, bids.csv   the market, as any other
///   FOLDER/README.txt                                        that it is simulated, with size and seed
///   FOLDER/truth/bonds.csv, investors.csv                    ids in the order of the tables below
///   FOLDER/truth/utility.f32   [n_bonds, n_investors]        float32 little endian: log-odds of a bid
///   FOLDER/truth/causal.u16    [n_bonds, n_investors]        uint16 little endian: bit f = preference feature f counts for the pair

#include "cli.h"

/// Errors: BR_ERR_INVALID (size), BR_ERR_EXISTS (the folder has a market already), BR_ERR_IO.
br_status simulate_folder(const arguments *args, const char *folder) BR_MUST_CHECK;

#endif
