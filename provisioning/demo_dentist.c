/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The demo dentist: a clinic with three people in Mexico City. Data only. */
#include "provisioning/demo.h"

static const struct demo_staff staff[] = {
    { "Dra. Mariana Solís Aguirre", "mariana.solis@sonrisa.example.com", "+52 55 5510 2040",
      "Odontóloga general", "#0f766e" },
    { "Dr. Ernesto Villaseñor Paz", "ernesto.villasenor@sonrisa.example.com", "+52 55 5510 2041",
      "Ortodoncista", "#1d4ed8" },
    { "Lic. Jimena Cárdenas Rojo", "jimena.cardenas@sonrisa.example.com", "+52 55 5510 2042",
      "Higienista dental", "#be185d" },
    { 0 },
};

static const struct demo_service services[] = {
    { "Consulta y diagnóstico", "General", "Revisión completa con plan de tratamiento", "#0f766e",
      30, 10, 450 },
    { "Limpieza dental con ultrasonido", "Preventiva", "Incluye pulido y aplicación de flúor",
      "#0891b2", 45, 10, 850 },
    { "Resina (una pieza)", "Restauración", "Resina fotocurable del color del diente", "#ca8a04",
      60, 10, 1100 },
    { "Extracción simple", "Cirugía", "Con anestesia local", "#dc2626", 45, 15, 1200 },
    { "Endodoncia", "Especialidad", "Tratamiento de conductos de una pieza", "#7c3aed", 90, 15,
      3800 },
    { "Blanqueamiento dental", "Estética", "Blanqueamiento en consultorio con luz LED", "#db2777",
      75, 15, 3200 },
    { "Ajuste de ortodoncia", "Ortodoncia", "Control mensual de brackets", "#1d4ed8", 30, 5, 950 },
    { "Corona de porcelana", "Prótesis", "Toma de impresión y provisional", "#475569", 60, 15,
      5200 },
    { 0 },
};

const struct demo_practice demo_dentist = {
    .spec = {
        .slug = "clinica-sonrisa",
        .name = "Clínica Dental Sonrisa",
        .sector = "dentist",
        .country = "MX",
        .time_zone = "America/Mexico_City",
        .locale = "es-MX",
        .currency = "MXN",
        .owner_email = "mariana.solis@sonrisa.example.com",
        .owner_name = "Dra. Mariana Solís Aguirre",
    },
    .legal_name = "Servicios Odontológicos Sonrisa S.C.",
    .phone = "+52 55 5510 2000",
    .address = "Av. Coyoacán 1435, Col. Del Valle, 03100 Ciudad de México",
    .staff = staff,
    .services = services,
    .opens_min = 9 * 60,
    .closes_min = 19 * 60,
    .lunch_from_min = 14 * 60,
    .lunch_to_min = 15 * 60,
    .saturday_closes_min = 14 * 60,
    .color = "#0e7490",
    .cutoff_min = "1440",
    .first_client = 0,
};
