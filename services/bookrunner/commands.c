#include "cli.h"

static const command commands[] = {
    {"run", "the whole job on a market: import, train, rank, explain, evaluate", "", 0, 0,
     "dir market size seed json timeout format",
     "  bookrunner run --size small --seed 1\n"
     "  bookrunner run --market ./my-market --json result.json\n",
     "The services must be up. A simulated market is written to DIR/market-SIZE-SEED first.\n", command_run},
    {"up", "start the services of a data directory and keep them running", "", 0, 0, "dir detach port",
     "  bookrunner up --detach\n"
     "  bookrunner up --dir /srv/bookrunner\n",
     "A process that ends is started again, after 200 ms at first and 10 s at most. Their output is in "
     "DIR/log.\n",
     command_up},
    {"down", "stop the services", "", 0, 0, "dir", "  bookrunner down\n", NULL, command_down},
    {"status", "what runs, and how far each store is", "", 0, 0, "dir format", "  bookrunner status --format json\n",
     NULL, command_status},
    {"simulate", "write a simulated market with known truth", "DIR", 1, 1, "size seed combinations",
     "  bookrunner simulate ./market --size small --seed 1\n",
     "The truth is in DIR/truth and is never read by the services.\n", command_simulate},
    {"validate", "check a market folder as an empty ledger would", "DIR", 1, 1, "dir rejects format",
     "  bookrunner validate ./market --rejects wrong.csv\n", NULL, command_validate},
    {"import", "bring a market folder into the ledger", "DIR", 1, 1, "dir dry-run rejects timeout format",
     "  bookrunner import ./market\n"
     "  bookrunner import ./market --dry-run\n",
     "Importing the same rows twice changes nothing. Exit code 3 when some rows were rejected.\n", command_import},
    {"close-day", "close a business day", "DATE", 1, 1, "dir no-wait timeout", "  bookrunner close-day 2026-03-02\n",
     NULL, command_close_day},
    {"train", "train a snapshot and serve it if the gate lets it; with --ctr, learn from files of rows", "[FILE...]", 0,
     -1,
     "dir before daily warm seed epochs force timeout format ctr format-in valid test=FILES split label fields numeric "
     "min-count "
     "masks threads=N",
     "  bookrunner train\n"
     "  bookrunner train --before 2026-03-02\n"
     "  bookrunner train --daily\n"
     "  bookrunner train --ctr train.csv --valid valid.csv --test test.csv --numeric I1,I2\n"
     "  bookrunner train --ctr rows.libsvm --format-in libsvm --split 8:1:1\n",
     "Without --before, --daily and --warm: 6:2:2 over the bonds in order of issue date, the last part kept for "
     "tests.\n"
     "--daily and --warm use what was known before the day behind the last closed one, or before DATE.\n"
     "With --ctr no service is needed and nothing is served: epochs are told as they end, then come log loss and AUC.\n"
     "The model and its training are those of the configuration (model.*, training.*). Rows with something wrong are\n"
     "told with file, line and column, and left out; exit code 3.\n",
     command_train},
    {"rank", "make the lists of upcoming, test or named bonds", "[BOND...]", 0, -1, "dir test timeout format",
     "  bookrunner rank\n"
     "  bookrunner rank --test\n"
     "  bookrunner rank B000123\n",
     NULL, command_rank},
    {"explain", "a bond's list with reasons in words", "BOND [INVESTOR]", 1, 2,
     "dir method k version certify seed timeout format",
     "  bookrunner explain B000123\n"
     "  bookrunner explain B000123 I0042 --format json\n"
     "  bookrunner explain B000123 I0042 --certify\n"
     "  bookrunner explain B000123 I0042 --method gumbel --k 4\n",
     "Shows what is stored; a bond without a list is ranked first. With --method, --k or --version it is explained "
     "here and\n"
     "now instead, by the served snapshot or that one, and INVESTOR may be any who may be recommended; nothing is "
     "stored.\n"
     "sufficient: the probability when only the reasons are known. `bookrunner compare --help` names the methods.\n"
     "  stored          with --certify: was the stored set swept, and did no swap of one reason gain?\n"
     "  swap_optimal    does none gain now? By the objective that it was selected by, with its day's snapshot and "
     "investors\n"
     "  best_swap_gain  of the best swap, in logit (of J for the objective backed); out, in: which, if it gains\n",
     command_explain},
    {"evaluate", "lists against the bids that came", "[BOND...]", 0, -1, "dir test timeout format",
     "  bookrunner evaluate --test\n",
     "  ece            calibration error of all pairs, all fields shown; ece_shown_N: N random fields of the investor\n"
     "  ece_explained  of listed investors by their reasons alone, f(x_S) against the bids, where the book is closed\n"
     "                 (explained: how many)\n",
     command_evaluate},
    {"snapshots", "list the snapshots, or go back to an earlier one", "list|rollback [VERSION]", 1, 2,
     "dir timeout format",
     "  bookrunner snapshots list\n"
     "  bookrunner snapshots rollback\n",
     NULL, command_snapshots},
    {"jobs", "explanations that are to do or were given up, and those tried again", "list|retry [JOB]", 1, 2,
     "dir all timeout format",
     "  bookrunner jobs list\n"
     "  bookrunner jobs retry --all\n",
     "A job that was dealt out work.max_attempts times without a result is dead. Tried again, it has all its "
     "attempts.\n",
     command_jobs},
    {"compare", "methods of explanation side by side on one snapshot's test bonds", "", 0, 0,
     "dir methods version bonds top k seed market out format",
     "  bookrunner compare --bonds 40 --out comparison\n"
     "  bookrunner compare --methods backed,plain,gumbel,ig-m --market bookrunner-data/market-paper-1\n",
     "Methods: backed, plain (both by exact search), gumbel (the paper's search; also gumbel-zero, gumbel-average),\n"
     "lime, kernel-shap, weighted-shap, ig, eg, recxplainer-l, recxplainer-mlp, kernel-shap-m, ig-m, random.\n"
     "The first one is compared with the best of the others, figure by figure. --market DIR is the folder of a\n"
     "simulated market: its truth tells which reasons are real. Needs no service.\n",
     command_compare},
    {"pairs", "past items as reasons: because they bought X; ranked, judged by people's votes, sampled for raters",
     "rank|evaluate|sample [USER [ITEM]]", 1, 3,
     "dir table columns time-unit items item-columns movielens market category top-items rejects factors "
     "regularization confidence ease-regularization method=RANKER n recommendations votes asked simulate-votes "
     "sample noise min-overlap pool by cuts min-candidates threshold seed threads=N format",
     "  bookrunner pairs rank I00042 --market ./market              what is recommended, and which past issuers speak "
     "for it\n"
     "  bookrunner pairs rank I00042 S0007 --market ./market        every past issuer, by every approach\n"
     "  bookrunner pairs sample --market ./market --n 500 --by disagreement --format csv > asked.csv\n"
     "  bookrunner pairs evaluate --market ./market --asked asked.csv --votes votes.csv\n"
     "  bookrunner pairs evaluate --movielens ./ml-latest-small --simulate-votes --threshold all\n"
     "  bookrunner pairs evaluate --table buys.csv --columns user=client,item=merchant,time=at,category=kind "
     "--votes votes.csv\n",
     "Approaches: random, chrono, most-pop, person-top, sim-cat-most-pop, ials, sim-cat-ials, rule-confidence,\n"
     "rule-support, rule-leverage, ease. Without --table, --movielens and --market: the ledger's market and its "
     "votes.\n"
     "rank learns from all transactions, evaluate and sample from those before the last month, and what the options\n"
     "leave open is tuned on the month before that.\n"
     "Bad rows (of an item's categories the first holds) and votes are told with file, line and reason; exit code 3.\n"
     "  rank       with ITEM every past item of USER as a reason for it: its rank by each approach (CSV and\n"
     "             JSON: and the score), votes where there are some; else what is recommended with up to three past\n"
     "             items that speak for it and that no votes speak against\n"
     "  evaluate   how well each approach puts pairs that make sense to people first: Recall, NDCG, MAP at --cuts\n"
     "             over lists (user, recommended item), 95 % intervals by user; at 1 all three are one number. JSON\n"
     "             has every threshold\n"
     "  sample     pairs x, y for raters, as the CSV that --asked reads; raters answer with x, y, rater, vote (yes or\n"
     "             no)\n",
     command_pairs},
    {"toy", "the paper's toy world: what each method says, and what is true", "", 0, 0, "seed format",
     "  bookrunner toy --seed 1\n",
     "Learns a small model of a million made-up products (section 3); needs no service.\n", command_toy},
    {"replay", "make a stored list and its explanations again and compare the bytes", "[BOND]", 0, 1,
     "dir as-of all format",
     "  bookrunner replay B000123\n"
     "  bookrunner replay --all\n",
     "Exit code 5 when something differs.\n", command_replay},
    {"digest", "what the stores hold, as hashes", "", 0, 0, "dir format",
     "  bookrunner digest --format csv | sort > before.csv\n",
     "Two installations that were fed the same and worked the same print the same lines.\n", command_digest},
    {"audit", "what people did, and whether anything of it was changed", "", 0, 0, "dir format",
     "  bookrunner audit --format csv > audit.csv\n",
     "Each note carries a hash of all notes before it; they are computed anew. Exit code 5 when one does not fit, with "
     "its\n"
     "record. The last hash, kept elsewhere, also shows when the newest notes were taken away.\n",
     command_audit},
    {"keys", "make the keys of explainers on other hosts", "new|add DIR [NAME]", 2, 3, "",
     "  bookrunner keys new ./keys          the ranker's keys, and those of a first host\n"
     "  bookrunner keys add ./keys host2    those of one more host\n",
     "The ranker's configuration names DIR as work.keys. DIR/for-NAME is for the explainer's host, where it is\n"
     "work.keys too; nobody else may have it. Without DIR/clients/NAME.pub that host is refused.\n",
     command_keys},
    {"config", "every setting with its value and where that comes from, or check a file", "show|check [FILE]", 1, 2,
     "dir format",
     "  bookrunner config show\n"
     "  bookrunner config check new.yaml\n",
     "Without FILE: DIR/bookrunner.yaml with the environment, as the services take it. Exit code 3 with file, line, "
     "key and\n"
     "cause when something is wrong. bookrunner.yaml(5) describes every key.\n",
     command_config},
    {"manual", "write a manual page as mdoc", "bookrunner|bookrunner.yaml", 1, 1, "",
     "  bookrunner manual bookrunner.yaml | man -l -\n", NULL, command_manual},
    {"completion", "write what completes commands and options in bash", "", 0, 0, "", "  . <(bookrunner completion)\n",
     NULL, command_completion},
    {"doctor", "check installation, stores, sockets and clock", "", 0, 0,
     "dir full format=table|json|ndjson|csv|nagios",
     "  bookrunner doctor\n"
     "  bookrunner doctor --format nagios\n",
     "Exit code 5 when a check fails; with --format nagios the plugin codes 0, 1, 2.\n", command_doctor},
    {"bench", "how fast this machine trains, ranks and explains", "train|explain|pairs", 1, 1,
     "only threads batch seconds no-masks format",
     "  bookrunner bench train\n"
     "  bookrunner bench train --only main --threads 2 --format json\n"
     "  bookrunner bench explain\n"
     "  bookrunner bench pairs --threads 1\n",
     "Wall time on data that are made up or simulated; run it when the machine does nothing else.\n\n"
     "train: 32 bond and 259 investor fields, as the simulated market of paper size has; the first step of a run and\n"
     "validation do not count.\n"
     "  rank                     of the cross layers; 0 is full rank\n"
     "  dense_equivalent_gflops  samples_per_s times the arithmetic of a sample in a network computed densely; it may\n"
     "                           exceed the peak, because work that the structure makes needless is not done\n"
     "  sgemm_peak_gflops        OpenBLAS on large square matrices, as many threads, right before the run\n"
     "  epoch_s                  for that market's 235,000 samples (each bid, and four others for it)\n"
     "  peak_rss_mb              highest resident memory in the run\n\n"
     "explain: a simulated market of 3,000 investors, one thread, lists of 50.\n"
     "  what if                  a bond with one feature changed: all investors scored, the first 50 explained\n"
     "  rank                     a bond: all investors scored, the first 50 found\n"
     "  rank on a new day        the same, and before it all investors encoded and their halves of the network made\n"
     "  p50_ms, p99_ms           of one bond, of one explanation\n"
     "  per_s                    explanations: with what is done once per bond\n"
     "  evaluations              of the model, per explanation\n"
     "  single, list             one investor at a time, or the list at once; of a slow method as many as there is "
     "time for\n"
     "  audit of plain           n investors: every set of six of the 24 fields that promise most, against the search\n"
     "  found, largest_loss      share for whom it found the best of them; of f otherwise, in logit\n\n"
     "pairs: item-based explanations, on made-up data of the sizes shown.\n"
     "  interactions_x_factors_per_s  of a sweep over users and items, and its loss\n"
     "  gflops                        train iALS: of the arithmetic that the equations need (half of what is\n"
     "                                symmetric); make EASE: items^3 for the inverse\n"
     "  double_peak_gflops            OpenBLAS in double precision, one thread\n"
     "  p50_us, p99_us                of one user with own_items items, one thread\n",
     command_bench},
    {0},
};

const command *cli_commands(void)
{
    return commands;
}
