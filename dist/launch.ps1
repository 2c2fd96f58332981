# Starts the program of this platform, after checking its digest. Makes no other decision.
$ErrorActionPreference = 'Stop'

function Stop-Launch([string] $Message) {
    [Console]::Error.WriteLine("nunu-ci: $Message")
    exit 70
}

$arch = if ($env:RUNNER_ARCH) { $env:RUNNER_ARCH } else { $env:PROCESSOR_ARCHITECTURE }
# Windows on ARM runs x64 programs.
switch ($arch) {
    { $_ -in 'X64', 'AMD64', 'ARM64' } { $name = 'nunu-ci-windows-x64.exe' }
    default { Stop-Launch "there is no program for the processor $arch; build it with cargo build --release and call it directly" }
}
$program = Join-Path (Join-Path $PSScriptRoot 'bin') $name
if (-not (Test-Path -LiteralPath $program)) {
    Stop-Launch "dist/bin/$name is not part of this checkout; use a released version of the action, or build it with cargo build --release"
}
$wanted = $null
$sums = Join-Path $PSScriptRoot 'SHA256SUMS'
if (Test-Path -LiteralPath $sums) {
    foreach ($line in Get-Content -LiteralPath $sums) {
        if ($line -match '^([0-9a-f]{64})  bin/(.+)$' -and $Matches[2] -eq $name) { $wanted = $Matches[1] }
    }
}
if (-not $wanted) { Stop-Launch "dist/SHA256SUMS has no digest for bin/$name; refusing to start it" }
$actual = (Get-FileHash -LiteralPath $program -Algorithm SHA256).Hash.ToLowerInvariant()
if ($actual -ne $wanted) {
    Stop-Launch "dist/bin/$name does not have the digest in dist/SHA256SUMS; refusing to start it"
}
& $program @args
exit $LASTEXITCODE
