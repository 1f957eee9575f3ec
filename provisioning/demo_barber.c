/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The demo barber: a shop with three chairs in Mexico City. Data only. */
#include "provisioning/demo.h"

static const struct demo_staff staff[] = {
    { "Rodrigo Mejía Luna", "rodrigo.mejia@navaja.example.com", "+52 55 4433 1180",
      "Maestro barbero", "#b45309" },
    { "Iván Téllez Sandoval", "ivan.tellez@navaja.example.com", "+52 55 4433 1181", "Barbero",
      "#15803d" },
    { "Paola Rentería Cruz", "paola.renteria@navaja.example.com", "+52 55 4433 1182",
      "Barbera y colorista", "#9333ea" },
    { 0 },
};

static const struct demo_service services[] = {
    { "Corte clásico", "Corte", "Tijera o máquina, con lavado", "#b45309", 30, 5, 220 },
    { "Corte y barba", "Corte", "Corte con perfilado de barba y toalla caliente", "#92400e", 45, 5,
      350 },
    { "Fade (degradado)", "Corte", "Degradado bajo, medio o alto", "#1d4ed8", 40, 5, 280 },
    { "Afeitado tradicional", "Barba", "Navaja, toalla caliente y bálsamo", "#15803d", 30, 5, 230 },
    { "Arreglo de barba", "Barba", "Perfilado y aceite", "#0f766e", 20, 5, 160 },
    { "Corte infantil", "Corte", "Hasta 12 años", "#db2777", 25, 5, 170 },
    { "Tinte de cabello", "Color", "Color completo o canas", "#7c3aed", 60, 10, 520 },
    { 0 },
};

const struct demo_practice demo_barber = {
    .spec = {
        .slug = "barberia-la-navaja",
        .name = "Barbería La Navaja",
        .sector = "barber",
        .country = "MX",
        .time_zone = "America/Mexico_City",
        .locale = "es-MX",
        .currency = "MXN",
        .owner_email = "rodrigo.mejia@navaja.example.com",
        .owner_name = "Rodrigo Mejía Luna",
    },
    .legal_name = "Rodrigo Mejía Luna",
    .phone = "+52 55 4433 1100",
    .address = "Calle Orizaba 88, Col. Roma Norte, 06700 Ciudad de México",
    .staff = staff,
    .services = services,
    .opens_min = 10 * 60,
    .closes_min = 20 * 60,
    .lunch_from_min = 15 * 60,
    .lunch_to_min = 16 * 60,
    .saturday_closes_min = 18 * 60,
    .color = "#b45309",
    .cutoff_min = "120",
    .first_client = 500,
};
