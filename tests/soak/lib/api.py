# SPDX-License-Identifier: LicenseRef-Gremio
"""What the long forms share: a caller of a stack's API, and its operations as /api/openapi.json declares them."""
import http.client
import json
import os
from datetime import date, timedelta

KNOWN = {"email": "someone@example.com", "new_email": "another@example.com", "code": "123456", "phone": "+525512345678",
         "color": "#aabbcc", "currency": "MXN", "time_zone": "America/Mexico_City", "locale": "es-MX", "birth_date": "1990-05-05"}


class Api:
    """One owner on one kept-alive connection, opened anew when the server has closed it."""

    def __init__(self, email=None):
        self.http = None
        self.token = None
        if email:
            status, answer = self.send("POST", "/api/v1/auth/login",
                                       {"email": email, "password": os.environ["GREMIO_PASSWORD"]})
            assert status == 200, answer
            self.token = answer["access_token"]

    def raw(self, method, path, body=None, headers=None):
        """Status and bytes of the answer; a connection that had answered before may be closed by now: once more."""
        fields = dict(headers or {})
        if self.token:
            fields["Authorization"] = "Bearer " + self.token
        if body is not None:
            fields["Content-Type"] = "application/json"
        for fresh in (self.http is None, True):
            if self.http is None or fresh:
                self.http = http.client.HTTPConnection(os.environ["GREMIO_HOST"], int(os.environ["GREMIO_PORT"]), timeout=60)
            try:
                self.http.request(method, path, body, fields)
                answer = self.http.getresponse()
                data = answer.read()
                if answer.will_close:
                    self.http = None
                return answer.status, data
            except (http.client.HTTPException, ConnectionError):
                self.http = None
                if fresh:
                    raise

    def send(self, method, path, body=None, version=None):
        """Status and the answer's JSON (None when it is none)."""
        text = None if body is None else json.dumps(body, ensure_ascii=False).encode("utf-8", "surrogatepass")
        status, data = self.raw(method, path, text, {"If-Match": f'"{version}"'} if version is not None else None)
        try:
            return status, json.loads(data)
        except ValueError:
            return status, None

    def make(self, path, **body):
        status, answer = self.send("POST", path, body)
        assert status == 201, answer
        return answer["id"]


def day(ahead):
    return (date.today() + timedelta(days=ahead)).isoformat()


class Catalog:
    """The API's document, with an object of each kind to fill requests with."""

    def __init__(self, api):
        self.document = api.send("GET", "/api/openapi.json")[1]
        self.ids = {"client": api.make("/api/v1/clients", given_name="Somebody"),
                    "service": api.make("/api/v1/services", name="Something", duration_min=5),
                    "staff": api.make("/api/v1/staff", name="Someone")}
        self.ids["appointment"] = api.make("/api/v1/appointments", client_id=self.ids["client"], staff_id=self.ids["staff"],
                                           service_id=self.ids["service"], starts_at=day(30) + "T09:00")

    def resolved(self, schema):
        while "$ref" in schema:
            at = self.document
            for part in schema["$ref"][2:].split("/"):
                at = at[part]
            schema = at
        return schema

    def operations(self):
        for path, item in self.document["paths"].items():
            for method, doc in item.items():
                if method != "parameters":
                    yield method.upper(), path, doc

    def id_for(self, name):
        return next((i for kind, i in self.ids.items() if name.startswith(kind)), "01900000-0000-7000-8000-000000000000")

    def path(self, pattern):
        kind = pattern[len("/api/v1/"):]
        return pattern.replace("{id}", self.id_for(kind))

    def properties(self, doc):
        content = self.resolved(doc.get("requestBody", {})).get("content", {})
        schema = self.resolved(content.get("application/json", {}).get("schema", {}))
        return {name: self.resolved(p) for name, p in schema.get("properties", {}).items()}

    def value(self, name, schema):
        if "enum" in schema:
            return schema["enum"][0]
        kind = schema.get("type", "string")
        kind = kind[0] if isinstance(kind, list) else kind
        if kind in ("integer", "boolean"):
            return schema.get("minimum", 1) if kind == "integer" else name != "archived"
        if schema.get("format") == "uuid":
            return self.id_for(name)
        return day(31) + "T09:00" if name == "starts_at" else KNOWN.get(name, "Texto")

    def body(self, doc):
        return {name: self.value(name, p) for name, p in self.properties(doc).items()}

    def texts(self, doc):
        """Members that take a string."""
        for name, p in self.properties(doc).items():
            kind = p.get("type", "string")
            if "string" in (kind if isinstance(kind, list) else [kind]):
                yield name

    def parameters(self, doc, where):
        """Names of those in "query", "path" or "header"."""
        return [p["name"] for p in map(self.resolved, doc.get("parameters", [])) if p["in"] == where]

    def query(self, doc):
        return self.parameters(doc, "query")
