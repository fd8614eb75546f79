#include "market/simulate_features.h"

#include "base/alloc.h"

#include <string.h>

typedef struct declared {
    const char *name;
    const char *en;
    const char *zh;
    br_feature_kind kind;
    br_feature_group group;
    uint32_t n_bins;
    const char *values; // separated by |; NULL: no list
} declared;

const uint32_t br_sim_n_values[SIM_N_TASTES] = {6, 6, 7, 14, 2, 24, 32, 7, 6, 2};

#define RATINGS "AAA|AA+|AA|AA-|A+|A"
#define PROVINCES                                                                                                      \
    "Beijing|Guangdong|Shanghai|Jiangsu|Zhejiang|Shandong|Sichuan|Hubei|Fujian|Hunan|Tianjin|Chongqing|"               \
    "Henan|Anhui|"                                                                                                     \
    "Jiangxi|Shaanxi|Hebei|Shanxi|Yunnan|Guangxi|Guizhou|Xinjiang|Liaoning|Inner "                                     \
    "Mongolia|Jilin|Gansu|Heilongjiang|"                                                                               \
    "Hainan|Ningxia|Qinghai|Tibet|Hong Kong"
#define TYPES                                                                                                          \
    "super-short commercial paper|quasi-public bond|medium-term note|corporate bond|private placement note|"           \
    "commercial paper|enterprise bond|private corporate bond|financial bond|asset-backed security|"                    \
    "asset-backed note|convertible bond|exchangeable bond|project revenue note"
#define INDUSTRIES                                                                                                     \
    "construction|utilities|transport|diversified|real estate|banking|non-bank "                                       \
    "finance|mining|chemicals|steel|"                                                                                  \
    "non-ferrous metals|machinery|electrical "                                                                         \
    "equipment|electronics|computers|telecommunications|media|trade|"                                                  \
    "food and drink|pharmaceuticals|agriculture|building materials|automobiles|environment"
#define PROPERTIES "central state-owned|local state-owned|private|foreign|collective|public|other"
#define MONTHS     "1|2|3|4|5|6|7|8|9|10|11|12"

#define CATEGORY BR_KIND_CATEGORICAL, BR_GROUP_BOND, 0
#define ORDER    BR_KIND_ORDINAL, BR_GROUP_BOND, 0
#define FLAG     BR_KIND_FLAG, BR_GROUP_BOND, 0, NULL
#define NUMBER   BR_KIND_CONTINUOUS, BR_GROUP_BOND

static const declared bond_features[SIM_N_BOND_FEATURES] = {
    [SIM_PERIOD] = {"period", "issuance period", "发行期限", ORDER, "6M|1Y|2Y|3Y|5Y|10Y"},
    [SIM_SUBJECT_RATING] = {"subject_rating", "subject rating", "主体评级", ORDER, RATINGS},
    [SIM_DEBT_RATING] = {"debt_rating", "debt rating", "债项评级", CATEGORY, RATINGS "|none"},
    [SIM_TYPE] = {"type", "bond type", "债券类型", CATEGORY, TYPES},
    [SIM_RENEWABLE] = {"renewable", "renewable bond", "是否永续债", FLAG},
    [SIM_INDUSTRY] = {"industry", "issuer industry", "发行人行业", CATEGORY, INDUSTRIES},
    [SIM_PROVINCE] = {"province", "issuer province", "发行人省份", CATEGORY, PROVINCES},
    [SIM_PROPERTY] = {"property", "issuer property", "发行人企业性质", CATEGORY, PROPERTIES},
    [SIM_ISSUER_TYPE] = {"issuer_type", "issuer type", "发行人类型", CATEGORY,
                         "non-financial enterprise|local financing vehicle|commercial bank|securities company|"
                         "insurance company|leasing company"},
    [SIM_LISTED] = {"listed", "listed issuer", "发行人是否上市", FLAG},
    [SIM_SIZE] = {"size", "issue size", "发行规模", NUMBER, 8, NULL},
    [SIM_SPREAD] = {"spread", "spread", "利差", NUMBER, 8, NULL},
    [SIM_TENOR] = {"tenor", "tenor in years", "剩余期限", NUMBER, 10, NULL},
    [SIM_LEVERAGE] = {"leverage", "issuer leverage", "发行人资产负债率", NUMBER, 10, NULL},
    [SIM_ISSUER_ASSETS] = {"issuer_assets", "issuer assets", "发行人总资产", NUMBER, 10, NULL},
    [SIM_EARLIER_ISSUES] = {"earlier_issues", "earlier issues", "历史发行次数", NUMBER, 10, NULL},
    [SIM_RATE_LEVEL] = {"rate_level", "rate level", "市场利率水平", NUMBER, 10, NULL},
    [SIM_RATE_TREND] = {"rate_trend", "rate trend", "市场利率走势", NUMBER, 10, NULL},
    [SIM_MONTH] = {"month", "issue month", "发行月份", ORDER, MONTHS},
    [SIM_WEEKDAY] = {"weekday", "issue weekday", "发行星期", ORDER, "Mon|Tue|Wed|Thu|Fri"},
    [SIM_QUARTER_END] = {"quarter_end", "quarter end", "是否季末", FLAG},
    [SIM_LEAD_DAYS] = {"lead_days", "days from announcement to issue", "公告至发行天数", NUMBER, 5, NULL},
    [SIM_GUARANTEE] = {"guarantee", "guarantee", "担保方式", CATEGORY, "none|third party|collateral"},
    [SIM_CALLABLE] = {"callable", "callable", "是否含赎回权", FLAG},
    [SIM_PUTTABLE] = {"puttable", "puttable", "是否含回售权", FLAG},
    [SIM_ROLE] = {"role", "underwriter role", "承销角色", CATEGORY, "lead|joint lead|co-manager"},
    [SIM_PROCEEDS] = {"proceeds", "use of proceeds", "募集资金用途", CATEGORY,
                      "refinancing|working capital|project|equity investment|mixed"},
    [SIM_VENUE] = {"venue", "venue", "发行场所", CATEGORY, "interbank|Shanghai|Shenzhen"},
    [SIM_COUPON] = {"coupon_type", "coupon type", "票息类型", CATEGORY, "fixed|floating|zero"},
    [SIM_GREEN] = {"green", "green bond", "是否绿色债券", FLAG},
    [SIM_OUTLOOK] = {"outlook", "rating outlook", "评级展望", ORDER, "negative|stable|positive"},
    [SIM_SLOT] = {"slot", "book-building slot", "簿记时段", CATEGORY, "morning|noon|afternoon"},
};

#define ATTRIBUTE(kind) kind, BR_GROUP_ATTRIBUTE
#define ABILITY(kind)   kind, BR_GROUP_ABILITY

static const declared investor_features[SIM_N_INVESTOR_FEATURES] = {
    [SIM_ORG_TYPE] = {"org_type", "organisation type", "机构类型", ATTRIBUTE(BR_KIND_CATEGORICAL), 0,
                      "joint-stock bank|city bank|rural bank|fund company|securities company|wealth management|"
                      "insurance company|trust company|private fund|finance company|foreign bank|pension fund"},
    [SIM_HOME_PROVINCE] = {"home_province", "home province", "所在省份", ATTRIBUTE(BR_KIND_CATEGORICAL), 0, PROVINCES},
    [SIM_HOME_REGION] = {"home_region", "home region", "所在大区", ATTRIBUTE(BR_KIND_CATEGORICAL), 0,
                         "North|South|East|Central|Northeast|Southwest|Northwest"},
    [SIM_BUSINESS_SCORE] = {"business_score", "business score", "业务活跃评分", ABILITY(BR_KIND_CONTINUOUS), 8, NULL},
    [SIM_ASSET_SCORE] = {"asset_score", "assets score", "资产规模评分", ABILITY(BR_KIND_CONTINUOUS), 8, NULL},
    [SIM_GRADE] = {"grade", "client grade", "客户等级", ABILITY(BR_KIND_ORDINAL), 0, "E|D|C|B|A"},
    [SIM_RISK_APPETITE] = {"risk_appetite", "risk appetite", "风险偏好", ATTRIBUTE(BR_KIND_CONTINUOUS), 5, NULL},
    [SIM_STATE_OWNED] = {"state_owned", "state-owned", "是否国有", ATTRIBUTE(BR_KIND_FLAG), 0, NULL},
    [SIM_LICENCE] = {"licence", "licence class", "牌照类别", ATTRIBUTE(BR_KIND_CATEGORICAL), 0,
                     "class A|class B|class C|none"},
    [SIM_CITY_TIER] = {"city_tier", "city tier", "城市等级", ATTRIBUTE(BR_KIND_ORDINAL), 0, "tier 1|tier 2|tier 3"},
    [SIM_ACCOUNT_KIND] = {"account_kind", "account kind", "账户类型", ATTRIBUTE(BR_KIND_CATEGORICAL), 0,
                          "proprietary|product|mixed"},
    [SIM_FISCAL_MONTH] = {"fiscal_month", "fiscal year end", "财年截止月", ATTRIBUTE(BR_KIND_ORDINAL), 0, MONTHS},
    [SIM_CUSTODIAN] = {"custodian", "custodian", "托管机构", ATTRIBUTE(BR_KIND_CATEGORICAL), 0,
                       "C1|C2|C3|C4|C5|C6|C7|C8|C9|C10"},
    [SIM_MANAGER] = {"manager", "relationship manager", "客户经理", ATTRIBUTE(BR_KIND_CATEGORICAL), 0,
                     "M1|M2|M3|M4|M5|M6|M7|M8|M9|M10|M11|M12"},
    [SIM_CHANNEL] = {"channel", "contact channel", "联系渠道", ATTRIBUTE(BR_KIND_CATEGORICAL), 0,
                     "phone|messenger|mail|visit"},
    [SIM_LANGUAGE] = {"language", "language of statements", "对账单语言", ATTRIBUTE(BR_KIND_CATEGORICAL), 0,
                      "Chinese|English|both"},
    [SIM_FORM_SCORE] = {"form_score", "form score", "资料完整度", ATTRIBUTE(BR_KIND_CONTINUOUS), 5, NULL},
};

static br_status copy_values(br_feature *feature, const char *list)
{
    uint32_t n = 1;
    for (const char *at = list; *at != '\0'; at++) {
        n += *at == '|';
    }
    feature->values = br_calloc(n, sizeof *feature->values);
    if (feature->values == NULL) {
        return br_no_memory("values", n);
    }
    feature->n_values = n;
    for (uint32_t i = 0; i < n; i++) {
        size_t length = strcspn(list, "|");
        feature->values[i] = br_calloc(length + 1, 1);
        if (feature->values[i] == NULL) {
            return br_no_memory("values", n);
        }
        memcpy(feature->values[i], list, length);
        list += length + 1;
    }
    return BR_OK;
}

static br_status copy_features(br_feature **out, uint32_t *n_out, const declared *from, uint32_t n)
{
    br_feature *features = br_calloc(n, sizeof *features);
    *out = features;
    if (features == NULL) {
        return br_no_memory("features", n);
    }
    *n_out = n;
    for (uint32_t i = 0; i < n; i++) {
        features[i] = (br_feature){
            .name = br_strdup(from[i].name),
            .kind = from[i].kind,
            .group = from[i].group,
            .n_bins = from[i].n_bins,
            .max_values = BR_DEFAULT_MAX_VALUES,
            .preference = from[i].group == BR_GROUP_BOND && i < SIM_N_TASTES,
            .label = {br_strdup(from[i].en), br_strdup(from[i].zh)},
        };
        if (features[i].name == NULL || features[i].label.en == NULL || features[i].label.zh == NULL) {
            return br_no_memory("features", n);
        }
        br_status status = from[i].values == NULL ? BR_OK : copy_values(&features[i], from[i].values);
        if (status != BR_OK) {
            return status;
        }
    }
    return BR_OK;
}

static br_status keep_text(br_schema *schema)
{
    BR_AUTO_DEINIT(br_buf) text = {0};
    br_buf_string(&text, "# A simulated market: none of it is real.\n");
    br_schema_write(schema, &text);
    schema->yaml = text.failed ? NULL : br_strdup(br_buf_text(&text));
    schema->yaml_bytes = text.length;
    return schema->yaml == NULL ? br_no_memory("bytes of schema", text.length) : BR_OK;
}

br_status br_simulation_schema_new(br_schema **out, br_day history_until)
{
    static const uint32_t activity_of[] = {SIM_SIZE, SIM_SPREAD, SIM_TENOR, SIM_LEVERAGE};
    BR_AUTO(br_schema) *schema = br_calloc(1, sizeof *schema);
    if (schema == NULL) {
        return br_no_memory("schema", 1);
    }
    schema->market = br_strdup("simulated-primary-bonds");
    schema->activity_of = br_memdup(activity_of, sizeof activity_of);
    if (schema->market == NULL || schema->activity_of == NULL) {
        return br_no_memory("schema", 1);
    }
    schema->late_days = BR_DEFAULT_LATE_DAYS;
    schema->history_until = history_until;
    schema->windows_days[0] = 30;
    schema->windows_days[1] = 365;
    schema->n_windows = 2;
    schema->activity_windows_days[0] = 30;
    schema->activity_windows_days[1] = 91;
    schema->activity_windows_days[2] = 365;
    schema->n_activity_windows = 3;
    schema->n_activity_of = sizeof activity_of / sizeof activity_of[0];
    for (int i = 0; i < BR_ACTIVITY_COUNT; i++) {
        schema->activity[i] = true;
    }
    br_status status =
        copy_features(&schema->bond_features, &schema->n_bond_features, bond_features, SIM_N_BOND_FEATURES);
    if (status == BR_OK) {
        status = copy_features(&schema->investor_features, &schema->n_investor_features, investor_features,
                               SIM_N_INVESTOR_FEATURES);
    }
    if (status == BR_OK) {
        status = keep_text(schema);
    }
    if (status != BR_OK) {
        return status;
    }
    *out = schema;
    schema = NULL;
    return BR_OK;
}
