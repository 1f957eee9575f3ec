// SPDX-License-Identifier: LicenseRef-Gremio
// Starts Swagger UI on our own description. Runs under a Content-Security-Policy without inline script, eval or other
// hosts: no outside validator, no stored token.
SwaggerUIBundle({
  url: "/api/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: -1,
  displayRequestDuration: true,
  filter: true,
  persistAuthorization: false,
  tryItOutEnabled: true,
  validatorUrl: null,
});
