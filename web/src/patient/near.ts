/** Where this device is, as the address of a search says it. Throws if it cannot be found. */
export async function here(): Promise<string> {
  const { coords } = await new Promise<GeolocationPosition>((found, failed) => {
    navigator.geolocation.getCurrentPosition(found, failed, { maximumAge: 600_000, timeout: 10_000 });
  });
  // Two decimals are a kilometre: enough to sort by, and no one's front door.
  return `${coords.latitude.toFixed(2)},${coords.longitude.toFixed(2)}`;
}
