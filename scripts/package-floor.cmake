# SPDX-License-Identifier: LicenseRef-Gremio
# Refuses a libevent without Debian's security fixes, which no version number of the library itself shows. Only Debian's
# package database knows; where there is none, the running program looks at how the library behaves (router/loop.c).
find_program(DPKG_QUERY dpkg-query)
find_program(DPKG dpkg)
foreach(package libevent-2.1-7 libevent-2.1-7t64 libevent-dev)
  set(floor 2.1.12-stable-8+deb12u1)
  if(DPKG_QUERY AND DPKG)
    execute_process(COMMAND ${DPKG_QUERY} -W -f "\${Version}" ${package}
                    OUTPUT_VARIABLE version ERROR_QUIET RESULT_VARIABLE missing)
    if(NOT missing AND version)
      execute_process(COMMAND ${DPKG} --compare-versions ${version} lt ${floor} RESULT_VARIABLE new_enough)
      if(NOT new_enough)
        message(FATAL_ERROR "${package} ${version} has known holes: ${floor} or later is needed (apt-get install ${package})")
      endif()
    endif()
  endif()
endforeach()
