/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Configuration files: the grammar, and errors that name file, line and the nearest key. */
#undef NDEBUG
#include <assert.h>
#include <string.h>

#include "util/conffile.h"
#include "util/error.h"

typedef struct Conf {
    bool flag;
    int64_t number;
    uint64_t count;
    char *text;
    char **list;
} Conf;

static const ConfFileKey keys[] = {
    { "flag", CONFFILE_BOOL, offsetof(Conf, flag), "" },
    { "number", CONFFILE_INT, offsetof(Conf, number), "" },
    { "max_clients", CONFFILE_UINT, offsetof(Conf, count), "" },
    { "text", CONFFILE_STRING, offsetof(Conf, text), "" },
    { "list", CONFFILE_STRING_LIST, offsetof(Conf, list), "" },
};

static bool parse(const char *text, Conf *c, GError **err)
{
    return conffile_parse("t.conf", text, strlen(text), keys, G_N_ELEMENTS(keys), c, err);
}

static void test_all_kinds_of_values(void)
{
    Conf c = { .text = g_strdup("default") };
    g_autoptr(GError) err = NULL;

    if (!parse(
            "# comment\n\nflag = 1  # on\r\nnumber=-12\n\tmax_clients =  5000\ntext = 'it\"s # here'\n"
            "list = [ \"a\", # first\n  'b',\n]\nmax_clients = 7\n",
            &c, &err))
        g_error("%s", err->message);
    assert(c.flag && c.number == -12 && strcmp(c.text, "it\"s # here") == 0);
    assert(c.count == 5000); /* the first setting of a key holds */
    assert(g_strv_length(c.list) == 2 && strcmp(c.list[0], "a") == 0 && strcmp(c.list[1], "b") == 0);

    assert(parse("text = \"\"\"two\nlines\"\"\"\nlist = \"one\"", &c, NULL));
    assert(strcmp(c.text, "two\nlines") == 0 && g_strv_length(c.list) == 1);
    assert(parse("list = []\ntext=''", &c, NULL));
    assert(g_strv_length(c.list) == 0 && c.text[0] == '\0');
    conffile_clear(keys, G_N_ELEMENTS(keys), &c);
    assert(!c.text && !c.list);
}

static void test_errors_name_file_line_and_remedy(void)
{
    static const struct {
        const char *text, *message;
    } bad[] = {
        { "flag = 1\n\nmax_client = 3\n",
          "t.conf:3: unknown key 'max_client', did you mean 'max_clients'?" },
        { "something_else = [ 3", "t.conf:1: the list may hold strings only" },
        { "flag = 2", "t.conf:1: value of 'flag' must be 0 or 1" },
        { "flag = \"1\"", "t.conf:1: value of 'flag' must be 0 or 1" },
        { "max_clients = -1",
          "t.conf:1: value of 'max_clients' must be a number that is not negative" },
        { "number = 99999999999999999999", "t.conf:1: the number is too large" },
        { "number = 9223372036854775808", "t.conf:1: value of 'number' is out of range" },
        { "text = 5", "t.conf:1: value of 'text' must be a string in quotes" },
        { "text = \"abc", "t.conf:1: the string does not end" },
        { "flag = 1\ntext = \"abc\ndef\"", "t.conf:2: the string does not end" },
        { "text = \"a\" b", "t.conf:1: the line must end after the value of 'text'" },
        { "list = [ \"a\"\n\"b\" ]", "t.conf:2: ',' or ']' is expected in the list" },
        { "list = [ 5 ]", "t.conf:1: the list may hold strings only" },
        { "list = [ \"a\",\n", "t.conf:2: the list does not end" },
        { "text", "t.conf:1: '=' is expected after 'text'" },
        { "= 5", "t.conf:1: the name of a key is expected" },
        { "text = abc",
          "t.conf:1: a number, a string in quotes or a list in brackets is expected" },
        { "number = -", "t.conf:1: a number is expected after '-'" },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        Conf c = { 0 };
        g_autoptr(GError) err = NULL;

        assert(!parse(bad[i].text, &c, &err));
        if (strcmp(err->message, bad[i].message) != 0)
            g_error("'%s' says '%s'", bad[i].text, err->message);
        conffile_clear(keys, G_N_ELEMENTS(keys), &c);
    }
}

static void test_keys_of_other_versions_do_no_harm(void)
{
    Conf c = { 0 };

    assert(parse("listen_far = 3\nnew_list = [ \"flag = 1\",\n \"a\" ]\nnumber = 7\n", &c, NULL));
    assert(c.count == 0 && !c.flag && c.number == 7);
    conffile_clear(keys, G_N_ELEMENTS(keys), &c);
}

static void test_missing_file_changes_nothing(void)
{
    Conf c = { .number = 4 };

    assert(conffile_load("/nonexistent/file", keys, G_N_ELEMENTS(keys), &c, NULL) && c.number == 4);
    assert(!conffile_load("/", keys, G_N_ELEMENTS(keys), &c, NULL));
}

int main(void)
{
    test_all_kinds_of_values();
    test_errors_name_file_line_and_remedy();
    test_keys_of_other_versions_do_no_harm();
    test_missing_file_changes_nothing();
    return 0;
}
