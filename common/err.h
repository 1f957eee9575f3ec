/* SPDX-License-Identifier: LicenseRef-Gremio */
/* One enum of failures for the whole project and one table of what each means to a client:
 * HTTP status, stable code (RFC 9457 "code" member), whether a retry can help, title in Spanish and English. */
#ifndef GREMIO_ERR_H
#define GREMIO_ERR_H

#include "common/base.h"

/* X(name, HTTP status, "code", retryable, "título", "title") */
#define ERR_TABLE(X)                                                                               \
    X(E_BAD_REQUEST, 400, "bad_request", false, "La petición está mal formada",                    \
      "The request is malformed")                                                                  \
    X(E_BAD_JSON, 400, "invalid_json", false, "El cuerpo no es JSON válido",                       \
      "The body is not valid JSON")                                                                \
    X(E_BAD_PARAM, 400, "invalid_parameter", false, "Un parámetro no es válido",                   \
      "A parameter is not valid")                                                                  \
    X(E_UNAUTHENTICATED, 401, "unauthenticated", false, "Falta una credencial válida",             \
      "A valid credential is missing")                                                             \
    X(E_TOKEN_EXPIRED, 401, "token_expired", false, "La sesión expiró; renueve el token",          \
      "The session expired; refresh the token")                                                    \
    X(E_BAD_CREDENTIALS, 401, "invalid_credentials", false, "Correo o contraseña incorrectos",     \
      "Wrong e-mail or password")                                                                  \
    X(E_SECOND_FACTOR, 401, "second_factor_required", false, "Falta el código del segundo factor", \
      "The second factor's code is missing")                                                       \
    X(E_BAD_CODE, 401, "invalid_code", false, "Código incorrecto o ya usado",                      \
      "The code is wrong or was used before")                                                      \
    X(E_ENROLMENT, 403, "second_factor_enrolment_required", false,                                 \
      "La práctica exige un segundo factor; configúrelo primero",                                  \
      "The practice requires a second factor; set it up first")                                    \
    X(E_STEP_UP, 403, "step_up_required", false, "Confirme quién es: contraseña o código",         \
      "Prove who you are again: password or code")                                                 \
    X(E_FORBIDDEN, 403, "forbidden", false, "Su rol no permite esta acción",                       \
      "Your role does not allow this")                                                             \
    X(E_FOREIGN_ORIGIN, 403, "foreign_origin", false,                                              \
      "La petición no viene de una página de este servicio",                                       \
      "The request does not come from a page of this service")                                     \
    X(E_SCOPE, 403, "scope_missing", false, "El enlace no permite esta acción",                    \
      "The link does not allow this")                                                              \
    X(E_POLICY, 403, "policy_forbids", false, "La práctica no permite hacerlo por enlace",         \
      "The practice does not allow this by link")                                                  \
    X(E_TENANT_SUSPENDED, 403, "tenant_suspended", false, "La práctica está suspendida",           \
      "The practice is suspended")                                                                 \
    X(E_TENANT_READ_ONLY, 403, "tenant_read_only", false,                                          \
      "La práctica está en modo de solo lectura", "The practice is read-only")                     \
    X(E_NOT_FOUND, 404, "not_found", false, "No existe", "Not found")                              \
    X(E_METHOD, 405, "method_not_allowed", false, "Método no permitido", "Method not allowed")     \
    X(E_REQUEST_TIMEOUT, 408, "request_timeout", true, "La petición tardó demasiado en llegar",    \
      "The request took too long to arrive")                                                       \
    X(E_SLOT_TAKEN, 409, "slot_taken", false, "Ese horario ya está ocupado",                       \
      "That time is already taken")                                                                \
    X(E_CLIENT_CONFLICT, 409, "client_conflict", false,                                            \
      "El cliente ya tiene otra cita a esa hora",                                                  \
      "The client already has another appointment then")                                           \
    X(E_SERIES_CONFLICT, 409, "series_conflict", false,                                            \
      "No todas las fechas de la serie son posibles", "Not every date of the series is possible")  \
    X(E_STATE_CONFLICT, 409, "state_conflict", false, "El estado actual no permite esta acción",   \
      "The current state does not allow this")                                                     \
    X(E_OUTSIDE_HOURS, 409, "outside_hours", false, "Está fuera del horario de esa persona",       \
      "That is outside that person's hours")                                                       \
    X(E_NO_ASSET, 409, "no_asset", false, "No hay sala, sillón o equipo libre a esa hora",         \
      "No room, chair or device that it needs is free then")                                       \
    X(E_LIMIT, 409, "limit_reached", false, "Ya hay tantos como se permiten",                      \
      "There are as many as are allowed already")                                                  \
    X(E_CUTOFF, 409, "cutoff_passed", false, "Ya es tarde para hacerlo por enlace; llame",         \
      "It is too late to do this by link; call the practice")                                      \
    X(E_MOVES, 409, "moves_exhausted", false, "La cita ya se movió las veces permitidas; llame",   \
      "The appointment was moved as often as allowed; call the practice")                          \
    X(E_TOO_MANY_LINKS, 409, "too_many_links", false,                                              \
      "El cliente ya tiene demasiados enlaces vigentes; revoque alguno",                           \
      "The client has too many live links already; revoke some")                                   \
    X(E_ALREADY_EXISTS, 409, "already_exists", false, "Ya existe", "It already exists")            \
    X(E_TENANT_CHOICE, 409, "tenant_choice", false,                                                \
      "La cuenta pertenece a varias prácticas; elija una",                                         \
      "The account belongs to several practices; choose one")                                      \
    X(E_IDEMPOTENCY_BUSY, 409, "idempotency_in_progress", true, "La misma petición está en curso", \
      "The same request is in progress")                                                           \
    X(E_LINK_EXPIRED, 410, "link_expired", false,                                                  \
      "El enlace ya no sirve: venció, ya se usó o hay uno más nuevo; pida otro",                   \
      "The link is no longer good: it expired, was used, or there is a newer one; ask for "        \
      "another")                                                                                   \
    X(E_HOLD_EXPIRED, 410, "hold_expired", false,                                                  \
      "El apartado venció, se liberó o ya se usó; elija el horario otra vez",                      \
      "The hold expired, was given up or was used; choose the time again")                         \
    X(E_PRECONDITION_FAILED, 412, "version_conflict", false,                                       \
      "Alguien más lo cambió; vuelva a leerlo", "Somebody else changed it; read it again")         \
    X(E_BODY_TOO_LARGE, 413, "body_too_large", false, "El cuerpo es demasiado grande",             \
      "The body is too large")                                                                     \
    X(E_URI_TOO_LONG, 414, "uri_too_long", false, "La línea de petición es demasiado larga",       \
      "The request line is too long")                                                              \
    X(E_UNSUPPORTED_MEDIA, 415, "unsupported_media_type", false,                                   \
      "El cuerpo debe ser application/json", "The body must be application/json")                  \
    X(E_EXPECTATION, 417, "expectation_failed", false, "Expectativa no soportada",                 \
      "Unsupported expectation")                                                                   \
    X(E_INVALID, 422, "validation_failed", false, "Hay datos que corregir",                        \
      "Some data must be corrected")                                                               \
    X(E_TIME_NONEXISTENT, 422, "nonexistent_time", false,                                          \
      "Esa hora local no existe por el cambio de horario",                                         \
      "That local time does not exist because of a clock change")                                  \
    X(E_TIME_AMBIGUOUS, 422, "ambiguous_time", false,                                              \
      "Esa hora local ocurre dos veces; indique el desfase",                                       \
      "That local time happens twice; give its offset")                                            \
    X(E_IDEMPOTENCY_MISMATCH, 422, "idempotency_mismatch", false,                                  \
      "La clave de idempotencia se usó con otra petición",                                         \
      "The idempotency key was used with another request")                                         \
    X(E_PRECONDITION_REQUIRED, 428, "precondition_required", false,                                \
      "Falta el encabezado If-Match", "The If-Match header is missing")                            \
    X(E_RATE_LIMITED, 429, "rate_limited", true, "Demasiadas peticiones", "Too many requests")     \
    X(E_TOO_MANY_ATTEMPTS, 429, "too_many_attempts", true,                                         \
      "Demasiados intentos fallidos; espere antes de volver a intentar",                           \
      "Too many failed attempts; wait before trying again")                                        \
    X(E_HEADERS_TOO_LARGE, 431, "headers_too_large", false,                                        \
      "Los encabezados son demasiado grandes", "The headers are too large")                        \
    X(E_INTERNAL, 500, "internal_error", false, "Error interno", "Internal error")                 \
    X(E_POISON, 500, "request_refused", false,                                                     \
      "La petición interrumpió el servicio y fue rechazada",                                       \
      "The request broke the service and was refused")                                             \
    X(E_NOT_IMPLEMENTED, 501, "not_implemented", false, "No implementado", "Not implemented")      \
    X(E_OVERLOADED, 503, "overloaded", true, "Servicio saturado; intente de nuevo",                \
      "The service is overloaded; try again")                                                      \
    X(E_UNAVAILABLE, 503, "unavailable", true, "Servicio no disponible; intente de nuevo",         \
      "The service is unavailable; try again")                                                     \
    X(E_DB_UNAVAILABLE, 503, "database_unavailable", true,                                         \
      "La base de datos no responde; intente de nuevo", "The database is unavailable; try again")  \
    X(E_TENANT_BUSY, 503, "tenant_migrating", true,                                                \
      "La práctica se está actualizando; intente de nuevo",                                        \
      "The practice is being updated; try again")                                                  \
    X(E_BUSY, 503, "busy", true, "Otra operación lo está usando; intente de nuevo",                \
      "Another operation is using it; try again")                                                  \
    X(E_OUTCOME_UNKNOWN, 503, "outcome_unknown", true,                                             \
      "No se sabe si la operación terminó; repita con la misma clave de idempotencia",             \
      "It is unknown whether this finished; repeat with the same idempotency key")                 \
    X(E_DEADLINE, 504, "deadline_exceeded", true, "La petición tardó demasiado",                   \
      "The request took too long")                                                                 \
    X(E_STORAGE_FULL, 507, "storage_full", true,                                                   \
      "No queda espacio para guardarlo; intente más tarde",                                        \
      "There is no space left to store this; try again later")                                     \
    X(E_HTTP_VERSION, 505, "http_version_not_supported", false, "Versión de HTTP no soportada",    \
      "HTTP version not supported")                                                                \
    /* Never shown to a client: what modules tell each other. */                                   \
    X(E_AGAIN, 500, "again", true, "Incompleto", "Incomplete")                                     \
    X(E_CLOSED, 500, "closed", true, "Cerrado", "Closed")                                          \
    X(E_IO, 500, "io_error", true, "Error de entrada o salida", "Input or output error")           \
    X(E_NOMEM, 500, "no_memory", true, "Sin memoria", "Out of memory")                             \
    X(E_CONFIG, 500, "bad_configuration", false, "Configuración no válida", "Invalid configuration")

enum err {
    OK = 0,
#define ERR_NAME(name, status, code, retry, es, en) name,
    ERR_TABLE(ERR_NAME)
#undef ERR_NAME
        ERR_COUNT,
};

enum lang { LANG_ES, LANG_EN };

struct err_info {
    int status;           /* HTTP status, 200 for OK */
    const char *code;     /* stable; "ok" for OK */
    bool retryable;       /* the same request may succeed later: answers carry Retry-After */
    const char *title[2]; /* by enum lang */
};

/* Never NULL; an unknown value reads as E_INTERNAL. */
const struct err_info *err_info(enum err e);

/* Chooses the language of an Accept-Language field (RFC 9110 12.5.4); Spanish when absent or nothing matches. */
enum lang err_lang(struct slice accept_language);

/* Returns from the calling function on anything but OK. */
#define TRY(call)                \
    do {                         \
        enum err try_e = (call); \
        if (try_e != OK) {       \
            return try_e;        \
        }                        \
    } while (0)

#endif
