// Goal: what a browser or an attacker can put into a path is decoded exactly or refused. Method: known values.

#include "service/internal.h"

#include <criterion/criterion.h>
#include <string.h>

Test(service_uri, good_text_is_decoded)
{
    static const char *const cases[][2] = {
        {"/", "/"},       {"/a%20b", "/a b"}, {"/%E8%AF%84%e7%ba%a7", "/\xE8\xAF\x84\xE7\xBA\xA7"},
        {"/a+b", "/a+b"}, {"/%25", "/%"},     {"/%41%42%43", "/ABC"},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char out[64] = "untouched";
        cr_assert(br_uri_decode(out, cases[i][0], strlen(cases[i][0])), "%s", cases[i][0]);
        cr_assert_str_eq(out, cases[i][1]);
    }
}

Test(service_uri, bad_text_is_refused)
{
    static const char *const cases[] = {
        "/%",         "/%4",  "/%4",   "/%G1", "/%1G",  "/a%00b",  "/%0a", "/%7f",          "/%C0%AF",
        "/%ED%A0%80", "/%ff", "/\xff", "/%c3", "/\x01", "/%c2%85", "/%-1", "/%F5%80%80%80",
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char out[64];
        cr_assert_not(br_uri_decode(out, cases[i], strlen(cases[i])), "%s", cases[i]);
    }
    char out[8];
    cr_assert_not(br_uri_decode(out, "/%41", 3), "an escape may not reach behind the end");
    cr_assert_not(br_uri_decode(out, "/a\0b", 4), "a NUL as it is");
}

Test(service_uri, climbing_is_seen_by_segment)
{
    static const char *const climb[] = {"/..", "/../a", "/a/../b", "/a/..", "/.", "/a/./b", ".."};
    static const char *const stay[] = {"/", "/a..b", "/..a", "/a../b", "/...", "/a.b/c", "//"};
    for (size_t i = 0; i < sizeof climb / sizeof climb[0]; i++) {
        cr_assert(br_uri_climbs(climb[i]), "%s", climb[i]);
    }
    for (size_t i = 0; i < sizeof stay / sizeof stay[0]; i++) {
        cr_assert_not(br_uri_climbs(stay[i]), "%s", stay[i]);
    }
}

Test(service_uri, if_none_match_is_a_list_of_weak_or_strong_tags)
{
    static const struct {
        const char *header, *tag;
        bool same;
    } cases[] = {
        {"\"a\"", "\"a\"", true},
        {"W/\"a\"", "\"a\"", true},
        {"\"b\", \"a\"", "\"a\"", true},
        {"\"b\",W/\"a\"", "\"a\"", true},
        {"*", "\"a\"", true},
        {"\"ab\"", "\"a\"", false},
        {"\"a", "\"a\"", false},
        {"a", "\"a\"", false},
        {"", "\"a\"", false},
        {NULL, "\"a\"", false},
        {"*", "", false},
        {"\"a\"", NULL, false},
        {"\"b\" , \"c\"", "\"a\"", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cr_assert_eq(br_etag_matches(cases[i].header, cases[i].tag), cases[i].same, "case %zu", i);
    }
}

Test(service_uri, gzip_is_taken_unless_its_weight_is_zero)
{
    static const struct {
        const char *header;
        bool taken;
    } cases[] = {
        {"gzip", true},           {"br, GZIP", true},     {"deflate,gzip;q=0.5", true}, {"*", true},
        {"x-gzip", true},         {"gzip;q=0.001", true}, {"gzip;q=0", false},          {"gzip; q=0.000", false},
        {"br;q=1, *;q=0", false}, {"gzipped", false},     {"identity", false},          {"", false},
        {",,;", false},           {NULL, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cr_assert_eq(br_accepts_gzip(cases[i].header), cases[i].taken, "case %zu", i);
    }
}
