/* SPDX-License-Identifier: LicenseRef-Gremio */
/* One statement each for what belongs to no practice and what is the practice's own. */
#include "tests/support/member.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/support/db.h"

struct member member_join(const char *slug, const char *role, const char *team)
{
    static int count;
    PGconn *db = db_super();
    char *code = db_code(db, slug);
    struct member m = {
        .email = api_text("member-%d-%d@example.com", (int)getpid(), ++count),
    };
    char *account = db_value(db,
                             "INSERT INTO public.account(id, email, password_hash)"
                             " SELECT gen_random_uuid(), $1, password_hash FROM public.account"
                             " WHERE email = '" OWNER_A "' RETURNING id",
                             m.email, NULL);
    char *staff = db_value(
        db,
        api_text("WITH r AS (INSERT INTO t_%s.resource(id, kind) VALUES (gen_random_uuid(),"
                 " 'staff') RETURNING id) INSERT INTO t_%s.staff(id, account_id, role, name, email,"
                 " team) SELECT id, $1::uuid, $2, $3, $3, nullif($4, '') FROM r RETURNING id",
                 code, code),
        account, role, m.email, team ? team : "", NULL);
    cr_assert_eq(db_number(db,
                           "WITH made AS (INSERT INTO public.membership(account_id, tenant_id,"
                           " staff_id, role) SELECT $1::uuid, id, $2::uuid, $3 FROM public.tenant"
                           " WHERE slug = $4 RETURNING 1) SELECT count(*) FROM made",
                           account, staff, role, slug, NULL),
                 1);
    m.staff = api_text("%s", staff);
    m.api = api_login(m.email);
    free(account);
    free(staff);
    free(code);
    PQfinish(db);
    return m;
}

void member_close(struct member *m)
{
    api_close(&m->api);
}
