# Read by cpack itself, for each package: the time that everything in a package carries is that of the source,
# not of the build.
if(NOT DEFINED ENV{SOURCE_DATE_EPOCH})
	execute_process(COMMAND git -C ${CPACK_PAWL_SOURCE} log -1 --format=%ct
		OUTPUT_VARIABLE epoch OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
	if(failed OR epoch STREQUAL "")
		file(TIMESTAMP ${CPACK_PAWL_SOURCE}/CHANGELOG.md epoch %s UTC)
	endif()
	set(ENV{SOURCE_DATE_EPOCH} ${epoch})
endif()

# It would be the first line of every package's description, before its own first line.
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "")
