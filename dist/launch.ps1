# Picks the binary for this machine, checks its SHA-256 and runs it; the exit code is the binary's.
# No setting can switch the check off. launch.sh is its twin for shells. Nothing but the binary is started, so nothing else sees the key.
$ErrorActionPreference = 'Stop'
$PSNativeCommandUseErrorActionPreference = $false

# One sentence, as an annotation where the job runs on GitHub. 70: not the fault of the job.
function Deny([string] $Message) {
    if ($env:GITHUB_ACTIONS -eq 'true') {
        [Console]::Out.WriteLine("::error title=nunu-ci::$Message")
    } else {
        [Console]::Error.WriteLine("error: $Message")
    }
    exit 70
}

# GitHub's runner tells the machine; elsewhere .NET has to do.
$system = $env:RUNNER_OS
if (-not $system) {
    $runtime = [System.Runtime.InteropServices.RuntimeInformation]
    $system = 'Windows'
    if ($runtime::IsOSPlatform([System.Runtime.InteropServices.OSPlatform]::Linux)) { $system = 'Linux' }
    if ($runtime::IsOSPlatform([System.Runtime.InteropServices.OSPlatform]::OSX)) { $system = 'macOS' }
}
$processor = $env:RUNNER_ARCH
if (-not $processor) {
    $processor = [string] [System.Runtime.InteropServices.RuntimeInformation]::OSArchitecture
}
$arch = switch ($processor) {
    'X64' { 'x64' }
    'ARM64' { 'arm64' }
    default { Deny "nunu-ci has no binary for $processor processors: it runs on x64 and arm64" }
}
$name = switch ($system) {
    # Windows on Arm runs x64 programs.
    'Windows' { 'nunu-ci-windows-x64.exe' }
    'macOS' { "nunu-ci-macos-$arch" }
    'Linux' { "nunu-ci-linux-$arch" }
    default { Deny "nunu-ci has no binary for ${system}: it runs on Linux, macOS and Windows" }
}

$binary = Join-Path (Join-Path $PSScriptRoot 'bin') $name
if (-not (Test-Path -LiteralPath $binary -PathType Leaf)) {
    Deny "nunu-ci has no binary for $system $arch in this checkout (dist/bin/$name): use a released version such as OWNER/nunu-ci@v0, or make it with dist/build.sh on such a machine"
}

$wanted = ''
$sums = Join-Path $PSScriptRoot 'SHA256SUMS'
if (Test-Path -LiteralPath $sums -PathType Leaf) {
    foreach ($line in Get-Content -LiteralPath $sums) {
        $digest, $file = $line.Trim() -split '\s+', 2
        if ($file -eq "bin/$name") { $wanted = $digest }
    }
}
$found = (Get-FileHash -LiteralPath $binary -Algorithm SHA256).Hash.ToLowerInvariant()
if (-not $wanted -or $found -ne $wanted) {
    $said = if ($wanted) { $wanted } else { 'nothing' }
    Deny "dist/bin/$name is not the released binary and is not started: its SHA-256 is $found, dist/SHA256SUMS says $said; check the action out again"
}

& $binary @args
exit $LASTEXITCODE
