#include "pipeline/meanings.h"

void br_field_meanings(br_field_meaning *out, const br_encoder *encoder)
{
    const br_field *fields = encoder->fields + encoder->n_bond_fields;
    uint32_t bond_field = BR_NO_BOND_FIELD; // of the last preference: those of one bond feature stand together
    uint8_t n_features = 0;                 // bond features with preferences so far, at most one more than have a bit
    for (uint32_t j = 0; j < br_encoder_n_investor_fields(encoder); j++) {
        out[j] = (br_field_meaning){
            .bond_field = BR_NO_BOND_FIELD, .causal_bit = BR_MAX_CAUSAL, .concept = br_encoder_concept(encoder, j)};
        if (br_field_is_preference(&fields[j])) {
            bool another = fields[j].bond_field != bond_field && n_features <= BR_MAX_CAUSAL;
            n_features = (uint8_t)(n_features + another);
            bond_field = fields[j].bond_field;
            out[j].bond_field = bond_field;
            out[j].bond_code = (uint8_t)fields[j].bond_code;
            out[j].causal_bit = (uint8_t)(n_features - 1);
        }
    }
}
